"""Holds a report against its JSON schema, and the schema against changes of the report.

    validate.py REPORT SCHEMA

A member that is taken away or that is of another type must be found, or else the schema says nothing.
"""

import copy
import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator


def main(report: Path, schema: Path) -> None:
    value = json.loads(report.read_text())
    schema = json.loads(schema.read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for error in validator.iter_errors(value):
        raise SystemExit(f"{report}: {error.json_path}: {error.message}")
    for member in schema["required"]:
        for wrong in ("missing", "of another type"):
            changed = copy.deepcopy(value)
            del changed[member]
            if wrong == "of another type":
                changed[member] = {"no": "such thing"}
            assert not validator.is_valid(changed), f"{report}: {member} is {wrong}, and the schema allows it"
    print(f"{report.name} is what its schema says: {len(schema['required'])} members")


main(Path(sys.argv[1]), Path(sys.argv[2]))
