"""Puts faults into a copy of the engine, one at a time, and shows which model catches each. See run.sh."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "target" / "mutants"
COPIED = ["Cargo.toml", "Cargo.lock", "README.md", "src", "assets", "loom-tests", "tests", "benches", "examples"]



@dataclass
class Mutant:
    """A fault: in `file`, `before` (which stands there once) becomes `after`; `caught_by` must then fail."""

    name: str
    file: str
    before: str
    after: str
    caught_by: str


MUTANTS = [
    # Money.
    Mutant(
        "withdraw by check-then-act (load, then store)",
        "account.rs",
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
        "when_funds_cover_only_one_withdrawal_exactly_one_is_granted",
    ),
    Mutant(
        "withdraw without the retry",
        "account.rs",
        "                Err(newer) => observed = newer,",
        "                Err(newer) => {\n                    observed = newer;\n                    let _ = observed;\n                    return Ok(next);\n                }",
        "a_deposit_between_two_withdrawals_can_pay_for_the_second",
    ),
    Mutant(
        "close as load and store",
        "account.rs",
        "        balance_in(self.state.swap(CLOSED, AcqRel))",
        "        let state = self.state.load(Acquire);\n        let _ = self.state.swap(CLOSED, AcqRel);\n        balance_in(state)",
        "a_deposit_is_part_of_the_final_balance_or_refused",
    ),
    Mutant(
        "deposit without the CLOSED check",
        "account.rs",
        "            let next = decide(balance_in(observed)?)?;",
        "            let next = decide(balance_in(observed).unwrap_or_default())?;",
        "a_late_depositor_is_refused_or_part_of_the_final_balance",
    ),
    Mutant(
        "a batch keeps what a try that failed decided",
        "account.rs",
        "            outcomes.truncate(start);\n            let mut after = balance;",
        "            let mut after = balance;",
        "several_operations_together_are_one_step_against_any_other",
    ),
    Mutant(
        "a batch decides every operation on the first balance",
        "account.rs",
        "                let outcome = operation.on(after);",
        "                let outcome = operation.on(balance);",
        "several_operations_together_are_one_step_against_several",
    ),
    Mutant(
        "overflow unchecked",
        "money.rs",
        "        Self::new(self.0 + amount.0.0)",
        "        Some(Self(self.0 + amount.0.0))",
        "of_two_deposits_that_only_one_has_room_for_exactly_one_is_granted",
    ),
    Mutant(
        "funds unchecked",
        "money.rs",
        "        Self::new(self.0 - amount.0.0)",
        "        Some(Self(self.0 - amount.0.0))",
        "when_funds_cover_only_one_withdrawal_exactly_one_is_granted",
    ),
    # Coming and going.
    Mutant(
        "removal before close",
        "lifecycle.rs",
        "    let balance = account.close()?;\n    unlink();\n",
        "    unlink();\n    let balance = account.close()?;\n",
        "an_account_that_cannot_be_found_any_more_is_closed",
    ),
    Mutant(
        "slot released before the removal",
        "lifecycle.rs",
        "    unlink();\n    capacity.release();\n",
        "    capacity.release();\n    unlink();\n",
        "no_more_accounts_than_allowed_can_ever_be_found",
    ),
    Mutant(
        "slot never released",
        "lifecycle.rs",
        "    capacity.release();\n",
        "    let _ = capacity;\n",
        "two_closings_release_one_slot",
    ),
    Mutant(
        "account published before its slot is reserved",
        "lifecycle.rs",
        "    let slot = capacity.reserve()?;\n    let published = publish();\n",
        "    let published = publish();\n    let slot = capacity.reserve()?;\n",
        "of_two_creations_for_one_slot_exactly_one_succeeds",
    ),
    Mutant(
        "capacity without reservation (check, then add)",
        "capacity.rs",
        "        loop {\n            if observed >= self.limit {\n                return Err(CreateError::LimitReached { limit: self.limit });\n            }\n",
        "        if observed >= self.limit {\n            return Err(CreateError::LimitReached { limit: self.limit });\n        }\n        loop {\n",
        "of_two_creations_for_one_slot_exactly_one_succeeds",
    ),
    Mutant(
        "limit off by one",
        "capacity.rs",
        "            if observed >= self.limit {",
        "            if observed > self.limit {",
        "of_three_creations_for_two_slots_exactly_two_succeed",
    ),
    Mutant(
        "reservation leaks when dropped",
        "capacity.rs",
        "    fn drop(&mut self) {\n        self.capacity.release();\n",
        "    fn drop(&mut self) {\n        let _ = self.capacity;\n",
        "a_reservation_that_is_dropped_frees_its_slot",
    ),
    # The roster.
    Mutant(
        "roster: a number's first half written before the second",
        "roster/page.rs",
        "            place.second.store(second, Relaxed);\n            place.first.store(first, Release);\n",
        "            place.first.store(first, Release);\n            place.second.store(second, Relaxed);\n",
        "a_number_is_read_whole_or_not_at_all",
    ),
    Mutant(
        "roster: a number written without Release",
        "roster/page.rs",
        "place.first.store(first, Release)",
        "place.first.store(first, Relaxed)",
        "a_number_is_read_whole_or_not_at_all",
    ),
    Mutant(
        "roster: a number read without Acquire",
        "roster/page.rs",
        "place.first.load(Acquire)",
        "place.first.load(Relaxed)",
        "a_number_is_read_whole_or_not_at_all",
    ),
    Mutant(
        "roster: a place not cleared",
        "roster/page.rs",
        "            place.first.store(0, Release);\n",
        "            let _ = place;\n",
        "a_number_is_read_until_it_is_struck_off_and_its_neighbour_stays",
    ),
    Mutant(
        "roster: a page used up with one account on it",
        "roster/page.rs",
        "self.struck_off.fetch_add(1, AcqRel) + 1 == PLACES",
        "self.struck_off.fetch_add(1, AcqRel) + 2 == PLACES",
        "a_number_is_read_until_it_is_struck_off_and_its_neighbour_stays",
    ),
    Mutant(
        "roster: strikes counted by load and store",
        "roster/page.rs",
        "self.struck_off.fetch_add(1, AcqRel) + 1 == PLACES",
        "{ let before = self.struck_off.load(Acquire); let _ = self.struck_off.fetch_add(1, AcqRel); before + 1 == PLACES }",
        "the_last_strike_and_no_other_uses_the_page_up_and_finds_it_empty",
    ),
    Mutant(
        "roster: strikes counted without Acquire",
        "roster/page.rs",
        "self.struck_off.fetch_add(1, AcqRel)",
        "self.struck_off.fetch_add(1, Release)",
        "the_last_strike_and_no_other_uses_the_page_up_and_finds_it_empty",
    ),
    Mutant(
        "roster: strikes counted without Release",
        "roster/page.rs",
        "self.struck_off.fetch_add(1, AcqRel)",
        "self.struck_off.fetch_add(1, Acquire)",
        "the_last_strike_and_no_other_uses_the_page_up_and_finds_it_empty",
    ),
    # Orderings.
    Mutant(
        "balance loaded Relaxed",
        "account.rs",
        "        balance_in(self.state.load(Acquire))",
        "        balance_in(self.state.load(crate::sync::Ordering::Relaxed))",
        "who_sees_the_deposit_of_a_transfer_sees_its_withdrawal",
    ),
    Mutant(
        "change decided on a Relaxed load",
        "account.rs",
        "        let mut observed = self.state.load(Acquire);",
        "        let mut observed = self.state.load(crate::sync::Ordering::Relaxed);",
        "who_is_refused_for_want_of_funds_sees_what_came_before",
    ),
    Mutant(
        "change without Release",
        "account.rs",
        ".compare_exchange_weak(observed, next.get(), AcqRel, Acquire)",
        ".compare_exchange_weak(observed, next.get(), Acquire, Acquire)",
        "who_sees_the_deposit_of_a_transfer_sees_its_withdrawal",
    ),
    Mutant(
        "change without Acquire",
        "account.rs",
        ".compare_exchange_weak(observed, next.get(), AcqRel, Acquire)",
        ".compare_exchange_weak(observed, next.get(), crate::sync::Ordering::Release, Acquire)",
        "who_withdraws_from_a_balance_that_came_back_sees_what_came_between",
    ),
    Mutant(
        "failed exchange Relaxed",
        "account.rs",
        ".compare_exchange_weak(observed, next.get(), AcqRel, Acquire)",
        ".compare_exchange_weak(observed, next.get(), AcqRel, crate::sync::Ordering::Relaxed)",
        "who_is_refused_for_want_of_funds_sees_what_came_before",
    ),
    Mutant(
        "close without Release",
        "account.rs",
        "self.state.swap(CLOSED, AcqRel)",
        "self.state.swap(CLOSED, Acquire)",
        "who_finds_an_account_closed_sees_what_came_before_the_closing",
    ),
    Mutant(
        "close without Acquire",
        "account.rs",
        "self.state.swap(CLOSED, AcqRel)",
        "self.state.swap(CLOSED, crate::sync::Ordering::Release)",
        "who_closes_an_account_sees_what_came_before_the_balance_left_on_it",
    ),
    Mutant(
        "slot released Relaxed",
        "capacity.rs",
        "self.in_use.fetch_sub(1, Release)",
        "self.in_use.fetch_sub(1, crate::sync::Ordering::Relaxed)",
        "whoever_gets_the_slot_of_a_closed_account_sees_that_it_is_gone",
    ),
    Mutant(
        "slot reserved without Acquire",
        "capacity.rs",
        ".compare_exchange_weak(observed, observed + 1, AcqRel, Acquire)",
        ".compare_exchange_weak(observed, observed + 1, Release, Acquire)",
        "whoever_gets_a_slot_that_was_taken_and_given_back_sees_that_nobody_is_there",
    ),
]


def copy_tree() -> pathlib.Path:
    tree = WORK / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            # Not with the times of the originals: cargo would take what an earlier run built for new.
            shutil.copytree(source, tree / name, copy_function=shutil.copy)
        elif source.exists():
            shutil.copy(source, tree / name)
    return tree


def run_models(tree: pathlib.Path, names: list[str]) -> tuple[set[str], str]:
    """Runs models in the copy. The names of those that failed, and everything that was printed."""
    done = subprocess.run(
        ["cargo", "test", "--quiet", "-p", "loom-tests", "--", *names],
        cwd=tree,
        env=os.environ | {"CARGO_TARGET_DIR": str(WORK / "target"), "RUST_BACKTRACE": "0", "RUSTFLAGS": "--cap-lints=allow"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if "running " not in done.stdout:
        sys.exit(f"the models did not run:\n{done.stdout}")
    failed = set(re.findall(r"^    ((?:\w+::)*\w+)$", done.stdout, re.MULTILINE)) if done.returncode else set()
    return failed, done.stdout


def check(tree: pathlib.Path, mutant: Mutant) -> bool:
    path = tree / "src" / mutant.file
    text = path.read_text()
    if text.count(mutant.before) != 1:
        sys.exit(f"{mutant.name}: its place in {mutant.file} is there {text.count(mutant.before)} times, not once")
    path.write_text(text.replace(mutant.before, mutant.after))
    try:
        failed, _ = run_models(tree, [mutant.caught_by])
    finally:
        path.write_text(text)
    return any(name.split("::")[-1] == mutant.caught_by for name in failed)


def main() -> None:
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    mutants = [mutant for mutant in MUTANTS if wanted in mutant.name]
    if not mutants:
        sys.exit(f"no mutant has {wanted!r} in its name")
    tree = copy_tree()

    # A model that fails without a fault catches nothing.
    failed, printed = run_models(tree, sorted({mutant.caught_by for mutant in mutants}))
    if failed:
        sys.exit(f"without any fault these fail: {', '.join(sorted(failed))}\n{printed}")

    width = max(len(mutant.name) for mutant in mutants)
    survivors = 0
    for number, mutant in enumerate(mutants, start=1):
        start = time.monotonic()
        caught = check(tree, mutant)
        survivors += not caught
        verdict = "caught by" if caught else "SURVIVES "
        seconds = time.monotonic() - start
        print(f"{number:3}/{len(mutants)}  {mutant.name:<{width}}  {verdict}  {mutant.caught_by}  ({seconds:.0f} s)", flush=True)
    if survivors:
        sys.exit(f"{survivors} of {len(mutants)} faults were not caught")
    print(f"all {len(mutants)} faults were caught")


main()
