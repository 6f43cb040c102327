"""Compares what hledger, beancount, and readers of CSV and JSON find in exports with what the journal says.

    compare.py DIRECTORY [ANSWERED]

Every account, the total, every movement and every key. ANSWERED is what clients.py wrote down. No float is on the way.
"""

import collections
import csv
import json
import sys
import urllib.parse
from decimal import Decimal
from pathlib import Path

from beancount import loader
from beancount.core import data

Books = collections.namedtuple("Books", "balances cash changes keys")


def load(path):
    with open(path, encoding="utf-8") as lines:
        return json.load(lines, parse_float=Decimal)


def lines_of(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line, parse_float=Decimal) for line in lines]


def from_hledger(at):
    """What hledger says, by its own arithmetic."""
    with open(at / "balances.csv", encoding="utf-8", newline="") as rows:
        sums = {row["account"]: row["balance"] for row in csv.DictReader(rows)}
    assert sums.pop("total") == "0", "the books balance"
    sums = {account: Decimal(text.removesuffix(" XXX")) for account, text in sums.items()}
    balances = {account.removeprefix("assets:accounts:"): sums[account] for account in sums if account[:6] == "assets"}
    changes, keys = {}, {}
    for transaction in load(at / "print.json"):
        tags = dict(transaction["ttags"])
        sequence = int(tags["sequence"])
        posting = transaction["tpostings"][0]
        quantity = posting["pamount"][0]["aquantity"]
        change = Decimal(quantity["decimalMantissa"]).scaleb(-quantity["decimalPlaces"])
        changes[sequence] = (posting["paccount"].removeprefix("assets:accounts:"), change)
        if "key" in tags:
            keys[sequence] = urllib.parse.unquote(tags["key"])
    return Books(balances, sums["equity:cash"], changes, keys)


def from_beancount(at):
    """What beancount says, by its own parser and checks."""
    entries, errors, _ = loader.load_file(str(at / "books.beancount"))
    assert not errors, errors
    sums, changes, keys = collections.defaultdict(Decimal), {}, {}
    opened = {it.account: it.meta.get("account_number") for it in entries if isinstance(it, data.Open)}
    closed = {it.account for it in entries if isinstance(it, data.Close)}
    for transaction in data.filter_txns(entries):
        for posting in transaction.postings:
            sums[posting.account] += posting.units.number
        sequence = int(transaction.meta["sequence"])
        posting = transaction.postings[0]
        changes[sequence] = (opened[posting.account], posting.units.number)
        if "key" in transaction.meta:
            keys[sequence] = transaction.meta["key"]
    balances = {opened[account]: sums[account] for account in sums if opened[account]}
    assert all(sums[account] == 0 for account in closed)
    return Books(balances, sums["Equity:Cash"], changes, keys)


def from_lines(rows):
    """What adds up from lines with a sign for each change."""
    sums, changes, keys = collections.defaultdict(Decimal), {}, {}
    for sequence, number, change, balance, key in rows:
        sums[number] += change
        assert sums[number] == balance, (sequence, sums[number], balance)
        changes[sequence] = (number, change)
        if key:
            keys[sequence] = key
    return Books(dict(sums), -sum(sums.values()), changes, keys)


def from_csv(at):
    with open(at / "books.csv", encoding="utf-8", newline="") as rows:
        return from_lines([
            (int(row["sequence"]), row["account_number"], Decimal(row["change"]), Decimal(row["balance"]),
             row["idempotency_key"])
            for row in csv.DictReader(rows)
        ])


def from_json(lines):
    out = {"withdrawal", "closing"}
    return from_lines([
        (it["sequence"], it["account_number"], -it["amount"] if it["type"] in out else it["amount"], it["balance"],
         it["idempotency_key"])
        for it in lines if "refused" not in it
    ])


def main():
    at = Path(sys.argv[1])
    check, shown = load(at / "check.json"), lines_of(at / "show.jsonl")
    assert check["whole"] and check["conserved"]
    assert len(shown) == check["records"]
    open_balances = {it["account_number"]: it["balance"] for it in check["accounts"]}
    assert len(open_balances) == check["open_accounts"] and sum(open_balances.values()) == check["balance"]
    assert open_balances and check["closed_accounts"] > 0 and check["keys"] > 0
    truth = from_json(shown)
    for name, books in [("hledger", from_hledger(at)), ("beancount", from_beancount(at)), ("csv", from_csv(at)),
                        ("jsonl", from_json(lines_of(at / "books.jsonl")))]:
        balances = dict(books.balances)
        closed = [number for number in balances if number not in open_balances]
        assert len(closed) == check["closed_accounts"], name
        assert all(balances.pop(number) == 0 for number in closed), name
        assert balances == open_balances, name
        assert -books.cash == check["balance"], name
        assert books.changes == truth.changes, name
        assert books.keys == truth.keys, name
        print(f"{name}: {len(open_balances)} open and {len(closed)} closed accounts, {len(books.changes)} movements, "
              f"{len(books.keys)} keys, {check['balance']} in all: equal")
    if len(sys.argv) > 2:
        answered = load(sys.argv[2])
        assert open_balances == {number: Decimal(cents) / 100 for number, cents in answered["balances"].items()}
        assert set(truth.balances) - set(open_balances) == set(answered["closed"])
        # One that was refused is no movement; an unanswered one there is not.
        assert sorted(it["idempotency_key"] for it in shown if it["idempotency_key"]) == answered["keys"]
        print(f"what was answered: {len(open_balances)} accounts and {len(answered['keys'])} keys: equal")


if __name__ == "__main__":
    main()
