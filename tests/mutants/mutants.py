"""Puts faults into a copy of the engine, one at a time, and shows which checks catch each. See run.sh."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import SimpleQueue

ROOT = pathlib.Path(__file__).resolve().parents[2]
FAULTS = ROOT / "tests" / "mutants" / "faults"
WORK = ROOT / "target" / "mutants"
COPIED = [
    *["Cargo.toml", "Cargo.lock", "docs", "src", "crates"],
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

# A fault that makes its checks run for longer has been noticed.
TIMEOUT_S = 300


class DoesNotApply(Exception):
    """The code has changed where the fault is to be."""


@dataclass
class Mutant:
    """A fault: a patch of one file, and the checks that must catch it, by kind."""

    patch: pathlib.Path
    name: str
    expected: dict[str, str]
    file: str
    base: str
    hunks: str

    @classmethod
    def read(cls, patch: pathlib.Path) -> "Mutant":
        """Reads a patch: a name, the checks, and what `git diff --full-index` prints."""
        about, _, diff = patch.read_text().partition("diff --git ")
        name, *checks = about.split("\n")
        expected = dict(check.split(": ", 1) for check in checks if check)
        if not expected or not set(expected) <= set(TESTS_OF):
            sys.exit(f"{patch.name}: the lines after the name are kinds of checks, and their names")
        head = re.match(r"a/(\S+) .*\nindex ([0-9a-f]{40})\.\..*\n--- .*\n\+\+\+ .*\n", diff)
        if not head:
            sys.exit(f"{patch.name}: it is no diff of one file with full object names")
        return cls(patch, name, expected, head[1], head[2], diff[head.end() :])

    def checks(self) -> dict[str, str]:
        """The checks that must catch it: those of the kinds that were asked for."""
        return {kind: name for kind, name in self.expected.items() if kind in KINDS}

    def applied(self, text: str) -> str:
        """The file with the fault in it. Where other lines have changed, by its own lines alone, or by a merge."""
        try:
            return self._patched(text)
        except DoesNotApply:
            pass
        try:
            return self._by_its_lines(text)
        except DoesNotApply:
            blob = git("cat-file", "blob", self.base)
            if blob is None:
                raise
            return merged(text, blob, self._patched(blob))

    def located(self, tree: pathlib.Path) -> pathlib.Path:
        """Its file; where that has been renamed or split, the one file to which it applies."""
        path = tree / self.file
        if path.exists() and self._applies(path):
            return path
        others = [other for other in sorted((tree / "src").rglob("*.rs")) if self._applies(other)]
        if len(others) != 1:
            raise DoesNotApply
        return others[0]

    def _applies(self, path: pathlib.Path) -> bool:
        try:
            self.applied(path.read_text())
        except DoesNotApply:
            return False
        return True

    def _by_its_lines(self, text: str) -> str:
        """Each run of lines that the fault takes away is there once, wherever that is, and becomes what is put there."""
        for removed, added in re.findall(r"((?:^-.*\n)*)((?:^\+.*\n)*)", self.hunks, re.MULTILINE):
            if not removed and not added:
                continue
            before, after = (re.sub(r"^.", "", lines, flags=re.MULTILINE) for lines in (removed, added))
            if not removed or text.count(before) != 1:
                raise DoesNotApply
            text = text.replace(before, after)
        return text

    def _patched(self, text: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "file"
            file.write_text(text)
            patch = f"--- a/file\n+++ b/file\n{self.hunks}"
            done = subprocess.run(
                ["git", "apply", "--whitespace=nowarn"],
                cwd=folder,
                # Whatever repository the folder may be in has nothing to do with it.
                env=os.environ | {"GIT_CEILING_DIRECTORIES": str(pathlib.Path(folder).parent)},
                input=patch,
                text=True,
                capture_output=True,
            )
            if done.returncode != 0:
                raise DoesNotApply
            return file.read_text()

    def refreshed(self, path: pathlib.Path) -> "Mutant":
        """The same fault as a patch of this file."""
        text = path.read_text()
        with tempfile.TemporaryDirectory() as folder:
            names = [pathlib.Path(folder) / name for name in ("before", "after")]
            for name, content in zip(names, (text, self.applied(text))):
                name.write_text(content)
            diff = subprocess.run(["git", "diff", "--no-index", *names], capture_output=True, text=True).stdout
        hunks = re.sub(r"^(@@ [^@]* @@).*$", r"\1", diff[diff.index("@@") :], flags=re.MULTILINE)
        base = git("hash-object", str(path)) or ""
        return replace(self, file=str(path.relative_to(ROOT)), hunks=hunks, base=base.strip())

    def write(self) -> None:
        """Writes the patch down."""
        checks = "".join(f"{kind}: {name}\n" for kind, name in self.expected.items())
        paths = f"diff --git a/{self.file} b/{self.file}\nindex {self.base}..{'0' * 40} 100644\n"
        self.patch.write_text(
            f"{self.name}\n\n{checks}\n{paths}--- a/{self.file}\n+++ b/{self.file}\n{self.hunks}"
        )


def git(*arguments: str) -> str | None:
    """What git prints; nothing if it refuses, as where the history is not there."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


def merged(ours: str, base: str, theirs: str) -> str:
    """A three-way merge."""
    with tempfile.TemporaryDirectory() as folder:
        names = [pathlib.Path(folder) / name for name in ("ours", "base", "theirs")]
        for name, content in zip(names, (ours, base, theirs)):
            name.write_text(content)
        done = subprocess.run(["git", "merge-file", "-p", *names], capture_output=True, text=True)
        if done.returncode != 0 or done.stdout == ours:
            raise DoesNotApply
        return done.stdout


MUTANTS = [Mutant.read(patch) for patch in sorted(FAULTS.glob("*.patch"))]


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
        path = mutant.located(self.tree)
        text = path.read_text()
        path.write_text(mutant.applied(text))
        try:
            return self.failing({kind: {name} for kind, name in mutant.checks().items()}, TIMEOUT_S)
        finally:
            path.write_text(text)


def check_places() -> None:
    """Each fault, also of those that were not asked for, has its place: before hours are spent on the others."""
    lost = []
    for mutant in MUTANTS:
        try:
            mutant.located(ROOT)
        except DoesNotApply:
            lost.append(f"{mutant.patch.name}: it does not apply to {mutant.file}, not by a merge either")
    if lost:
        lost.append("Put each fault into the code by hand, and the output of `git diff --full-index` into its patch.")
        sys.exit("\n".join(lost))


def refresh() -> None:
    """Rewrites all patches for the present files."""
    check_places()
    for mutant in MUTANTS:
        mutant.refreshed(mutant.located(ROOT)).write()
    print(f"{len(MUTANTS)} faults are patches of the present files")


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
    if wanted == "--refresh":
        refresh()
        return
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
