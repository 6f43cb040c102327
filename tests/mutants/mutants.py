"""Puts faults into a copy of the engine, one at a time, and shows which checks catch each. See run.sh."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

from durable import DURABLE

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "target" / "mutants"
COPIED = [
    *["Cargo.toml", "Cargo.lock", "README.md", "src", "crates"],
    *["loom-tests", "shuttle-tests", "tests", "benches", "examples"],
]

# What a check of each kind is, to cargo. `yields` is the engine's tests with pauses at every atomic, `durable` the unit
# tests of the durable ledger.
TESTS_OF = {
    "loom": ["-p", "loom-tests", "--test", "models"],
    "shuttle": ["-p", "shuttle-tests", "--test", "schedules"],
    "engine": ["-p", "cashpoint", "--test", "engine"],
    "unit": ["-p", "cashpoint", "--lib"],
    "yields": ["-p", "cashpoint", "--test", "engine"],
    "durable": ["-p", "cashpoint", "--lib"],
}
KINDS = os.environ.get("KINDS", " ".join(TESTS_OF)).split()
if not set(KINDS) <= set(TESTS_OF):
    sys.exit(f"KINDS={' '.join(KINDS)}: the kinds of checks are {' '.join(TESTS_OF)}")

# What cargo can build and run at once, and with which features. Not `unit`: `--lib` would also be that of the models.
RUNS = [(["loom", "shuttle", "engine"], []), (["unit"], []), (["yields"], ["--features", "yields"])]
RUNS += [(["durable"], ["--features", "durable"])]

# With so many schedules shuttle finds each of the faults that it is asked for, from the same place on each time.
SHUTTLE = {"SCHEDULES": "20000", "SHUTTLE_RANDOM_SEED": "1"}
AT_RANDOM = "what_was_done_can_be_explained_under_random_schedules"

# A fault that makes its checks run for longer has been noticed.
TIMEOUT_S = 300


@dataclass
class Mutant:
    """A fault: in `file`, `before` (which stands there once) becomes `after`; each check that is named must then fail."""

    name: str
    file: str
    before: str
    after: str
    loom: str | None = None
    shuttle: str | None = None
    engine: str | None = None
    unit: str | None = None
    yields: str | None = None
    durable: str | None = None

    def checks(self) -> dict[str, str]:
        """The checks that must catch it, by kind: those of the kinds that were asked for."""
        return {kind: getattr(self, kind) for kind in KINDS if getattr(self, kind)}


MUTANTS = [
    # Money.
    Mutant(
        "withdraw by check-then-act (load, then store)",
        "engine/account.rs",
        """            match self
                .state
                .compare_exchange_weak(observed, next.get(), AcqRel, Acquire)
            {
                Ok(_) => return Ok(next),
                Err(newer) => observed = newer,
            }""",
        """            observed = self.state.swap(next.get(), AcqRel);
            let _ = observed;
            return Ok(next);""",
        loom="when_funds_cover_only_one_withdrawal_exactly_one_is_granted",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "withdraw without the retry",
        "engine/account.rs",
        "                Err(newer) => observed = newer,",
        "                Err(newer) => {\n                    observed = newer;\n                    let _ = observed;\n                    return Ok(next);\n                }",
        loom="a_deposit_between_two_withdrawals_can_pay_for_the_second",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "close as load and store",
        "engine/account.rs",
        "        balance_in(self.state.swap(CLOSED, AcqRel))",
        "        let state = self.state.load(Acquire);\n        let _ = self.state.swap(CLOSED, AcqRel);\n        balance_in(state)",
        loom="a_deposit_is_part_of_the_final_balance_or_refused",
        shuttle=AT_RANDOM,
        yields="what_was_deposited_comes_out_when_accounts_are_closed_under_load",
    ),
    Mutant(
        "deposit without the CLOSED check",
        "engine/account.rs",
        "            let next = decide(balance_in(observed)?)?;",
        "            let next = decide(balance_in(observed).unwrap_or_default())?;",
        loom="a_late_depositor_is_refused_or_part_of_the_final_balance",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "settling brings a closed account back",
        "engine/account.rs",
        "        let _: Result<Cents, UnknownAccount> = self.replace(|_| Ok(balance));",
        "        let _ = self.state.swap(balance.get(), AcqRel);",
        loom="what_is_closed_is_not_settled",
    ),
    Mutant(
        "settling in two steps",
        "engine/account.rs",
        "        let _: Result<Cents, UnknownAccount> = self.replace(|_| Ok(balance));",
        "        for sum in [Cents::ZERO, balance] {\n            let _: Result<Cents, UnknownAccount> = self.replace(|_| Ok(sum));\n        }",
        loom="a_reader_sees_only_what_was_settled_and_that_in_order",
    ),
    Mutant(
        "settling without an order",
        "engine/account.rs",
        "        let _: Result<Cents, UnknownAccount> = self.replace(|_| Ok(balance));",
        "        if self.balance().is_ok() {\n            let _ = self.state.swap(balance.get(), crate::engine::sync::Ordering::Relaxed);\n        }",
        loom="who_sees_a_settled_balance_sees_what_was_noted_before",
    ),
    Mutant(
        "a batch keeps what a try that failed decided",
        "engine/account.rs",
        "            outcomes.truncate(start);\n            let mut after = balance;",
        "            let mut after = balance;",
        loom="several_operations_together_are_one_step_against_any_other",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "a batch decides every operation on the first balance",
        "engine/account.rs",
        "                let outcome = operation.on(after);",
        "                let outcome = operation.on(balance);",
        loom="several_operations_together_are_one_step_against_several",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "overflow unchecked",
        "values/money.rs",
        "        Self::new(self.0 + amount.0.0)",
        "        Some(Self(self.0 + amount.0.0))",
        loom="of_two_deposits_that_only_one_has_room_for_exactly_one_is_granted",
        engine="a_ledger_does_what_the_model_does",
    ),
    Mutant(
        "funds unchecked",
        "values/money.rs",
        "        Self::new(self.0 - amount.0.0)",
        "        Some(Self(self.0 - amount.0.0))",
        loom="when_funds_cover_only_one_withdrawal_exactly_one_is_granted",
        shuttle=AT_RANDOM,
    ),
    # Coming and going.
    Mutant(
        "removal before close",
        "engine/lifecycle.rs",
        "    let balance = account.close()?;\n    unlink();\n",
        "    unlink();\n    let balance = account.close()?;\n",
        loom="an_account_that_cannot_be_found_any_more_is_closed",
    ),
    Mutant(
        "slot released before the removal",
        "engine/lifecycle.rs",
        "    unlink();\n    capacity.release();\n",
        "    capacity.release();\n    unlink();\n",
        loom="no_more_accounts_than_allowed_can_ever_be_found",
    ),
    Mutant(
        "slot never released",
        "engine/lifecycle.rs",
        "    capacity.release();\n",
        "    let _ = capacity;\n",
        loom="two_closings_release_one_slot",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "account published before its slot is reserved",
        "engine/lifecycle.rs",
        "    let slot = capacity.reserve()?;\n    let published = publish();\n",
        "    let published = publish();\n    let slot = capacity.reserve()?;\n",
        loom="of_two_creations_for_one_slot_exactly_one_succeeds",
    ),
    Mutant(
        "capacity without reservation (check, then add)",
        "engine/capacity.rs",
        "        loop {\n            if observed >= self.limit {\n                return Err(CreateError::LimitReached { limit: self.limit });\n            }\n",
        "        if observed >= self.limit {\n            return Err(CreateError::LimitReached { limit: self.limit });\n        }\n        loop {\n",
        loom="of_two_creations_for_one_slot_exactly_one_succeeds",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "limit off by one",
        "engine/capacity.rs",
        "            if observed >= self.limit {",
        "            if observed > self.limit {",
        loom="of_three_creations_for_two_slots_exactly_two_succeed",
        shuttle=AT_RANDOM,
        engine="the_limit_holds_while_accounts_come_and_go_and_no_slot_is_lost",
    ),
    Mutant(
        "reservation leaks when dropped",
        "engine/capacity.rs",
        "    fn drop(&mut self) {\n        self.capacity.release();\n",
        "    fn drop(&mut self) {\n        let _ = self.capacity;\n",
        loom="a_reservation_that_is_dropped_frees_its_slot",
    ),
    # The creation index.
    Mutant(
        "creation index: a number's first half written before the second",
        "engine/creation_index/page.rs",
        "            place.second.store(second, Relaxed);\n            place.first.store(first, Release);\n",
        "            place.first.store(first, Release);\n            place.second.store(second, Relaxed);\n",
        loom="a_number_is_read_whole_or_not_at_all",
    ),
    Mutant(
        "creation index: a number written without Release",
        "engine/creation_index/page.rs",
        "place.first.store(first, Release)",
        "place.first.store(first, Relaxed)",
        loom="a_number_is_read_whole_or_not_at_all",
    ),
    Mutant(
        "creation index: a number read without Acquire",
        "engine/creation_index/page.rs",
        "place.first.load(Acquire)",
        "place.first.load(Relaxed)",
        loom="a_number_is_read_whole_or_not_at_all",
    ),
    Mutant(
        "creation index: a place not cleared",
        "engine/creation_index/page.rs",
        "            place.first.store(0, Release);\n",
        "            let _ = place;\n",
        loom="a_number_is_read_until_it_is_removed_and_its_neighbour_stays",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "creation index: a page used up with one account on it",
        "engine/creation_index/page.rs",
        "self.removed.fetch_add(1, AcqRel) + 1 == PLACES",
        "self.removed.fetch_add(1, AcqRel) + 2 == PLACES",
        loom="a_number_is_read_until_it_is_removed_and_its_neighbour_stays",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "creation index: removals counted by load and store",
        "engine/creation_index/page.rs",
        "self.removed.fetch_add(1, AcqRel) + 1 == PLACES",
        "{ let before = self.removed.load(Acquire); let _ = self.removed.fetch_add(1, AcqRel); before + 1 == PLACES }",
        loom="the_last_removal_and_no_other_uses_the_page_up_and_finds_it_empty",
    ),
    Mutant(
        "creation index: removals counted without Acquire",
        "engine/creation_index/page.rs",
        "self.removed.fetch_add(1, AcqRel)",
        "self.removed.fetch_add(1, Release)",
        loom="the_last_removal_and_no_other_uses_the_page_up_and_finds_it_empty",
    ),
    Mutant(
        "creation index: removals counted without Release",
        "engine/creation_index/page.rs",
        "self.removed.fetch_add(1, AcqRel)",
        "self.removed.fetch_add(1, Acquire)",
        loom="the_last_removal_and_no_other_uses_the_page_up_and_finds_it_empty",
    ),
    # Orderings.
    Mutant(
        "balance loaded Relaxed",
        "engine/account.rs",
        "        balance_in(self.state.load(Acquire))",
        "        balance_in(self.state.load(crate::engine::sync::Ordering::Relaxed))",
        loom="who_sees_the_deposit_of_a_transfer_sees_its_withdrawal",
    ),
    Mutant(
        "change decided on a Relaxed load",
        "engine/account.rs",
        "        let mut observed = self.state.load(Acquire);",
        "        let mut observed = self.state.load(crate::engine::sync::Ordering::Relaxed);",
        loom="who_is_refused_for_want_of_funds_sees_what_came_before",
    ),
    Mutant(
        "change without Release",
        "engine/account.rs",
        ".compare_exchange_weak(observed, next.get(), AcqRel, Acquire)",
        ".compare_exchange_weak(observed, next.get(), Acquire, Acquire)",
        loom="who_sees_the_deposit_of_a_transfer_sees_its_withdrawal",
    ),
    Mutant(
        "change without Acquire",
        "engine/account.rs",
        ".compare_exchange_weak(observed, next.get(), AcqRel, Acquire)",
        ".compare_exchange_weak(observed, next.get(), crate::engine::sync::Ordering::Release, Acquire)",
        loom="who_withdraws_from_a_balance_that_came_back_sees_what_came_between",
    ),
    Mutant(
        "failed exchange Relaxed",
        "engine/account.rs",
        ".compare_exchange_weak(observed, next.get(), AcqRel, Acquire)",
        ".compare_exchange_weak(observed, next.get(), AcqRel, crate::engine::sync::Ordering::Relaxed)",
        loom="who_is_refused_for_want_of_funds_sees_what_came_before",
    ),
    Mutant(
        "close without Release",
        "engine/account.rs",
        "self.state.swap(CLOSED, AcqRel)",
        "self.state.swap(CLOSED, Acquire)",
        loom="who_finds_an_account_closed_sees_what_came_before_the_closing",
    ),
    Mutant(
        "close without Acquire",
        "engine/account.rs",
        "self.state.swap(CLOSED, AcqRel)",
        "self.state.swap(CLOSED, crate::engine::sync::Ordering::Release)",
        loom="who_closes_an_account_sees_what_came_before_the_balance_left_on_it",
    ),
    Mutant(
        "slot released Relaxed",
        "engine/capacity.rs",
        "self.in_use.fetch_sub(1, Release)",
        "self.in_use.fetch_sub(1, crate::engine::sync::Ordering::Relaxed)",
        loom="whoever_gets_the_slot_of_a_closed_account_sees_that_it_is_gone",
    ),
    Mutant(
        "slot reserved without Acquire",
        "engine/capacity.rs",
        ".compare_exchange_weak(observed, observed + 1, AcqRel, Acquire)",
        ".compare_exchange_weak(observed, observed + 1, Release, Acquire)",
        loom="whoever_gets_a_slot_that_was_taken_and_given_back_sees_that_nobody_is_there",
    ),
    # The rules.
    Mutant(
        "rule: a withdrawal of everything is refused",
        "values/operation.rs",
        "        .checked_sub(amount)\n",
        "        .checked_sub(amount)\n        .filter(|left| left.get() > 0)\n",
        loom="a_deposit_between_two_withdrawals_can_pay_for_the_second",
        engine="a_ledger_does_what_the_model_does",
    ),
    Mutant(
        "rule: a deposit up to the largest balance is refused",
        "values/operation.rs",
        "        .checked_add(amount)\n",
        "        .checked_add(amount)\n        .filter(|sum| *sum < Cents::MAX)\n",
        loom="of_two_deposits_that_only_one_has_room_for_exactly_one_is_granted",
        engine="a_ledger_does_what_the_model_does",
    ),
    Mutant(
        "rule: a refusal tells another balance than it was decided on",
        "values/operation.rs",
        "WithdrawError::InsufficientFunds { available })",
        "WithdrawError::InsufficientFunds { available: Cents::ZERO })",
        loom="what_a_closing_returns_is_what_deposits_and_withdrawals_left",
    ),
    Mutant(
        "rule: a withdrawal in a batch is a deposit",
        "values/operation.rs",
        "Ok(after_withdrawal(balance, amount)?)",
        "Ok(after_deposit(balance, amount)?)",
        loom="several_operations_together_are_one_step_against_several",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "a deposit alone in its batch only reads",
        "engine/account.rs",
        "Operation::Deposit(amount) => self.deposit(amount)?",
        "Operation::Deposit(_) => self.balance()?",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "money: the largest balance has one cent more",
        "values/money.rs",
        "Self(999_999_999_999_999)",
        "Self(1_000_000_000_000_000)",
        engine="the_largest_sum_has_fifteen_digits_and_is_all_nines",
    ),
    Mutant(
        "money: a needless zero is printed",
        "values/money.rs",
        "if cents % 10 != 0 {",
        "if cents != 0 {",
        engine="what_is_printed_is_exact_and_reads_back",
    ),
    # Around the map.
    Mutant(
        "session: an account is created without a slot",
        "engine/session.rs",
        """        lifecycle::open(&self.ledger.capacity, || {
            self.publish(Account::open(initial), metadata)
        })""",
        "        Ok(self.publish(Account::open(initial), metadata))",
        shuttle=AT_RANDOM,
        engine="the_limit_holds_while_accounts_come_and_go_and_no_slot_is_lost",
    ),
    Mutant(
        "session: a new account is empty whatever was paid in",
        "engine/session.rs",
        "self.publish(Account::open(initial), metadata)",
        "{ let _ = initial; self.publish(Account::open(Cents::ZERO), metadata) }",
        shuttle=AT_RANDOM,
        engine="a_ledger_does_what_the_model_does",
    ),
    Mutant(
        "session: an account stays in the map when it is closed",
        "engine/session.rs",
        "        self.accounts.remove(&number);\n",
        "        let _ = number;\n",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "session: an account stays in the creation index when it is closed",
        "engine/session.rs",
        "        self.ledger.creation_index.remove(created);\n",
        "        let _ = created;\n",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "session: nothing is unlinked",
        "engine/session.rs",
        "            || self.unlink(number, entry.created),\n",
        "            || (),\n",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "session: an account is closed and stays open in its cell",
        "engine/session.rs",
        """        lifecycle::close(
            &entry.account,
            || self.unlink(number, entry.created),
            &self.ledger.capacity,
        )""",
        """        let left = entry.account.balance()?;
        self.unlink(number, entry.created);
        self.ledger.capacity.release();
        Ok(left)""",
        shuttle=AT_RANDOM,
        engine="of_many_who_close_an_account_one_gets_the_balance",
    ),
    Mutant(
        "session: an account is inserted under another number",
        "engine/session.rs",
        "        let mut number = AccountNumber::random();\n        let mut entry = Entry {\n            account,\n            created: creation_index.insert(number),",
        "        let mut number = AccountNumber::random();\n        let mut entry = Entry {\n            account,\n            created: creation_index.insert(AccountNumber::random()),",
        shuttle=AT_RANDOM,
        engine="accounts_are_listed_in_order_of_creation_whatever_the_pages",
    ),
    Mutant(
        "session: a listing shows closed accounts",
        "engine/session.rs",
        "entry.account.balance().ok()?",
        "entry.account.balance().unwrap_or_default()",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "session: a listing leaves out the first account",
        "engine/session.rs",
        "            .after(cursor)\n            .filter_map",
        "            .after(cursor)\n            .skip(1)\n            .filter_map",
        shuttle=AT_RANDOM,
        engine="accounts_are_listed_in_order_of_creation_whatever_the_pages",
    ),
    Mutant(
        "session: a listing forgets its cursor",
        "engine/session.rs",
        "            .after(cursor)\n            .filter_map",
        "            .after(cursor.and(None))\n            .filter_map",
        shuttle=AT_RANDOM,
        engine="a_listing_resumes_after_an_account_that_is_gone",
    ),
    Mutant(
        "batch: commands in a row on different accounts are folded",
        "engine/batch.rs",
        "commands.chunk_by(|one, next| one.number == next.number)",
        "commands.chunk_by(|_, _| true)",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "batch: commands are not folded, but done one by one",
        "engine/batch.rs",
        "commands.chunk_by(|one, next| one.number == next.number)",
        "commands.chunk_by(|_, _| false)",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "batch: an unknown account has no outcome",
        "engine/batch.rs",
        "Err(unknown) => outcomes.extend(operations.map(|_| Err(unknown.into()))),",
        "Err(_) => {}",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "batch: an unknown account has one outcome for the whole run",
        "engine/batch.rs",
        "Err(unknown) => outcomes.extend(operations.map(|_| Err(unknown.into()))),",
        "Err(unknown) => outcomes.push(Err(unknown.into())),",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "batch: outcomes of an earlier batch are kept",
        "engine/batch.rs",
        "        outcomes.clear();\n",
        "",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "ledger: one account too many is counted",
        "engine/ledger.rs",
        "        self.capacity.in_use()\n",
        "        self.capacity.in_use() + 1\n",
        shuttle=AT_RANDOM,
        engine="a_ledger_does_what_the_model_does",
    ),
    Mutant(
        "ledger: accounts are counted in the map",
        "engine/ledger.rs",
        "        self.capacity.in_use()\n",
        "        self.creation_index.after(None).count()\n",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "creation index: a place is off by one",
        "engine/creation_index.rs",
        "(self.0 / places, (self.0 % places) as usize)",
        "((self.0 + 1) / places, ((self.0 + 1) % places) as usize)",
        unit="a_listing_goes_on_anywhere_also_at_the_edge_of_a_page",
    ),
    Mutant(
        "creation index: a creation number is handed out by load and store",
        "engine/creation_index.rs",
        "self.next.fetch_add(1, Ordering::Release)",
        "{ let next = self.next.load(Ordering::Relaxed); self.next.store(next + 1, Ordering::Relaxed); next }",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "creation index: a listing begins with its cursor",
        "engine/creation_index.rs",
        "Some(*created) <= cursor",
        "Some(*created) < cursor",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "creation index: a listing begins a page late",
        "engine/creation_index.rs",
        "self.pages.lower_bound(Bound::Included(&first_page))",
        "self.pages.lower_bound(Bound::Excluded(&first_page))",
        shuttle=AT_RANDOM,
        engine="a_listing_resumes_after_an_account_that_is_gone",
    ),
    Mutant(
        "creation index: a page goes with the first of its accounts",
        "engine/creation_index.rs",
        "            && page.value().remove(place)\n",
        "            && (page.value().remove(place) || true)\n",
        shuttle=AT_RANDOM,
    ),
    Mutant(
        "creation index: a page never goes",
        "engine/creation_index.rs",
        "            page.remove();\n",
        "            let _ = page;\n",
        unit="a_page_goes_with_its_last_account_and_not_before",
    ),
    Mutant(
        "account numbers: half of the bits hash alike",
        "values/account_number.rs",
        "        self.hash = product as u64 ^ (product >> 64) as u64;",
        "        self.hash = u64::from(product as u32);",
        unit="every_bit_of_the_hash_varies",
    ),
]
MUTANTS += [Mutant(*fault, durable=check) for *fault, check in DURABLE]


class Copy:
    """A copy of the tree, built apart from it."""

    def __init__(self, number: int) -> None:
        self.tree = WORK / f"tree-{number}"
        self.target = WORK / f"target-{number}"
        shutil.rmtree(self.tree, ignore_errors=True)
        self.tree.mkdir(parents=True)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                # Not with the times of the originals: cargo would take what an earlier run built for new.
                shutil.copytree(source, self.tree / name, copy_function=shutil.copy)
            elif source.exists():
                shutil.copy(source, self.tree / name)

    def failing(self, checks: dict[str, set[str]], timeout_s: int | None = None) -> set[tuple[str, str]]:
        """Runs checks, by kind. Those that failed or took too long, as kind and name."""
        failed = set()
        for together, features in RUNS:
            kinds = {kind: checks[kind] for kind in together if kind in checks}
            if kinds:
                failed |= self._failing(kinds, features, timeout_s)
        return failed

    def _failing(
        self, kinds: dict[str, set[str]], features: list[str], timeout_s: int | None
    ) -> set[tuple[str, str]]:
        wanted = {(kind, name) for kind, names in kinds.items() for name in names}
        command = ["cargo", "test", "--quiet", "--no-fail-fast", "--no-default-features", *features]
        for kind in kinds:
            command += TESTS_OF[kind]
        environment = os.environ | SHUTTLE | {
            "CARGO_TARGET_DIR": str(self.target),
            "RUST_BACKTRACE": "0",
            "RUSTFLAGS": "--cap-lints=allow",
        }
        process = subprocess.Popen(
            [*command, "--", *sorted({name for _, name in wanted})],
            cwd=self.tree,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            printed, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            # With the tests that cargo has started.
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return wanted
        if "running " not in printed:
            raise RuntimeError(f"the checks did not run:\n{printed}")
        if process.returncode == 0:
            return set()
        failed = set(re.findall(r"^    (?:\w+::)*(\w+)$", printed, re.MULTILINE))
        # A test that takes its whole process down is not in the list of those that failed.
        crashed = set(re.findall(r"process didn't exit successfully.*/(\w+)-[0-9a-f]+.*signal", printed))
        return {
            (kind, name)
            for kind, name in wanted
            if name in failed or TESTS_OF[kind][-1] in crashed
        }

    def check(self, mutant: Mutant) -> set[tuple[str, str]]:
        """The checks that catch a mutant, of those that must."""
        path = self.tree / "src" / mutant.file
        text = path.read_text()
        path.write_text(text.replace(mutant.before, mutant.after))
        try:
            return self.failing({kind: {name} for kind, name in mutant.checks().items()}, TIMEOUT_S)
        finally:
            path.write_text(text)


def check_places() -> None:
    """Each fault, also of those that were not asked for, has its place: before hours are spent on the others."""
    for mutant in MUTANTS:
        times = (ROOT / "src" / mutant.file).read_text().count(mutant.before)
        if times != 1:
            sys.exit(f"{mutant.name}: its place in {mutant.file} is there {times} times, not once")


def check_without_fault(copy: Copy, mutants: list[Mutant]) -> None:
    """A check that fails without a fault catches nothing. Builds everything, too."""
    checks: dict[str, set[str]] = {}
    for mutant in mutants:
        for kind, name in mutant.checks().items():
            checks.setdefault(kind, set()).add(name)
    failed = copy.failing(checks)
    if failed:
        sys.exit(f"without any fault these fail: {sorted(failed)}")


def main() -> None:
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    mutants = [mutant for mutant in MUTANTS if wanted in mutant.name and mutant.checks()]
    if not mutants:
        sys.exit(f"no mutant has {wanted!r} in its name")
    check_places()
    start = time.monotonic()
    copies: SimpleQueue[Copy] = SimpleQueue()
    jobs = min(int(os.environ.get("JOBS", "2")), len(mutants))
    first = Copy(0)
    check_without_fault(first, mutants)
    copies.put(first)
    for number in range(1, jobs):
        copy = Copy(number)
        # With what is built of other crates: only the workspace's own are built anew.
        shutil.rmtree(copy.target, ignore_errors=True)
        subprocess.run(["cp", "-a", first.target, copy.target], check=True)
        copies.put(copy)
    print(f"without a fault all checks pass ({time.monotonic() - start:.0f} s)\n")

    width = max(len(mutant.name) for mutant in mutants)
    print(f"{'':8}{'':<{width}}  {'  '.join(f'{kind:<8}' for kind in KINDS)}")

    def judge(mutant: Mutant) -> tuple[Mutant, dict[str, str], float]:
        copy = copies.get()
        begun = time.monotonic()
        try:
            caught = copy.check(mutant)
        except RuntimeError as error:
            sys.exit(f"{mutant.name}: {error}")
        finally:
            copies.put(copy)
        verdicts = {
            kind: "caught" if (kind, name) in caught else "SURVIVES" for kind, name in mutant.checks().items()
        }
        return mutant, verdicts, time.monotonic() - begun

    survivors = []
    with ThreadPoolExecutor(jobs) as pool:
        for number, (mutant, verdicts, seconds) in enumerate(pool.map(judge, mutants), start=1):
            row = "  ".join(f"{verdicts.get(kind, '–'):<8}" for kind in KINDS)
            print(f"{number:3}/{len(mutants)} {mutant.name:<{width}}  {row}  {seconds:3.0f} s", flush=True)
            survivors += [f"{mutant.name}: {mutant.checks()[kind]}" for kind, it in verdicts.items() if it == "SURVIVES"]
    checks = sum(len(mutant.checks()) for mutant in mutants)
    print(f"\n{len(mutants)} faults, {checks} times caught or to be caught, in {time.monotonic() - start:.0f} s")
    if survivors:
        sys.exit("not caught:\n" + "\n".join(survivors))
    print("every fault is caught by every check that must catch it")


if __name__ == "__main__":
    main()
