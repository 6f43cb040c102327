#!/usr/bin/env bash
# Puts faults into a copy of the engine, one at a time, and shows which model catches each.
#
#   tests/mutants/run.sh            all of them, about two minutes
#   tests/mutants/run.sh close      those with "close" in their name
#
# The table is in mutants.py. A fault that its model does not catch fails the run; so does one that no longer
# applies or does not compile, because then nothing has been shown. Needs Python 3 beside the Rust toolchain.
exec python3 "$(dirname "$0")/mutants.py" "$@"
