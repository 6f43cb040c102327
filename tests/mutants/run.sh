#!/usr/bin/env bash
# Puts faults into a copy of the engine, one at a time, and shows which checks catch each.
#
#   tests/mutants/run.sh            all of them
#   tests/mutants/run.sh close      those with "close" in their name
#   JOBS=1 tests/mutants/run.sh     one after another, not two at a time
#   KINDS=durable tests/mutants/run.sh        those of the durable core
#   KINDS='loom unit' tests/mutants/run.sh    with checks of these kinds alone, and the faults that they catch
#
#   tests/mutants/run.sh --refresh            rewrites all faults as patches of the present files
#
# A fault is a patch in faults/, with the checks that must catch it, which are of six kinds: a loom model (`loom`), the
# schedules of shuttle (`shuttle`), a test of the engine with real threads or random input (`engine`), a unit test
# (`unit`), a test of the engine whose atomics pause at random (`yields`), a test of the durable core (`durable`).
# Where other lines have changed, or the file has another name, a patch is placed by its own lines, or merged. A dash says that the check is not asked. A check that must catch a
# fault and does not fails the run; so does a fault that no longer applies or does not compile, because then nothing has
# been shown. Needs Python 3 and git beside the Rust toolchain.
exec python3 "$(dirname "$0")/mutants.py" "$@"
