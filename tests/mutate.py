"""Are the tests tested? Break every rule of the gradient table in turn, and see whether the suite notices.

    python tests/mutate.py                      every rule: its sign, a factor, each axis, its flags
    python tests/mutate.py --source             every line of the rules and of what they call, as well
    python tests/mutate.py --family norms -v    the rules of one file, and which test killed which mutant

A *mutant* is the library with one thing wrong. A test that fails kills it; one that no test kills *survives*, and tells
of a test that is missing. First every test runs on the library as it is, and notes which rules (which lines) it runs.
Then each mutant, in a process of its own, meets the tests that ran what is broken in it, until one of them fails.

The tests are those of the files in `mutants.checks.SUITE`, called as pytest would call them. Some mutants are no errors
and cannot be killed: `mutants.equivalent` names them, each with the reason. The exit status is 1 if anything else
survives. Needs `os.fork`: Linux or macOS.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import signal
import sys
import time
import traceback
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from mutants import Mutant
from mutants.checks import Check, Seen
from mutants.equivalent import EQUIVALENT
from mutants.lines import FILES, broken_lines
from mutants.rules import Results, broken_rules, save_as_before

import tensorgrad.frontend.assign
import tensorgrad.functional
import tensorgrad.transforms.recompute  # noqa: F401  (all of the table)

KILLED, SURVIVED, FAILED = range(3)


def killer(mutant: Mutant, seen: Seen) -> tuple[Check, str] | None:
    """The test that kills a mutant, and how."""
    order = seen.in_order(mutant.checks, mutant.first)
    end, start = os.pipe()
    child = os.fork()
    if not child:
        os.close(end)
        os._exit(_live(mutant, order, seen, start))
    os.close(start)
    with os.fdopen(end) as pipe:
        *_, last = pipe.read().split("\n")
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == FAILED:
        raise RuntimeError(f"this mutant could not be made: {mutant.name}")
    if status == SURVIVED:
        return None
    k, how = last.split(" ", 1)
    seen.kills[order[int(k)]] += 1
    return order[int(k)], how


def _live(mutant: Mutant, order: list[Check], seen: Seen, pipe: int) -> int:
    """What a mutant's process does: meet one test after the other, and tell of each."""
    try:
        mutant.install()
    except BaseException:
        traceback.print_exc()
        return FAILED
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
    for k, check in enumerate(order):
        os.write(pipe, f"\n{k} hangs or crashes".encode())  # the last word of a process that does
        signal.setitimer(signal.ITIMER_REAL, 5 + 50 * seen.seconds[check])
        try:
            check.run()
        except BaseException as error:
            os.write(pipe, f"\n{k} {' '.join(str(error).split()):.60}".encode())
            return KILLED
    return SURVIVED


def _line(name: str, counts: Counter[str]) -> str:
    return f"{name:16}" + "".join(f"{counts[fate]:12}" for fate in ("mutants", "killed", "equivalent", "survived"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", nargs="+", help="only what is in the files of these names")
    parser.add_argument("--row", help="only the rules of the function of this name")
    parser.add_argument("--source", action="store_true", help="break the lines of the rules and of what they call, too")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell of every mutant which test killed it")
    options = parser.parse_args()
    start = time.perf_counter()
    save_as_before()
    seen = Seen()
    results = Results(seen)
    seen.run(FILES if options.source else frozenset())
    results.restore()
    print(f"{len(seen.seconds)} tests in {time.perf_counter() - start:.0f} s", flush=True)
    for failure in seen.left_out:
        print(f"  fails on the library as it is, and is left out: {failure}")

    families = defaultdict(list)
    for mutant in [*broken_rules(results), *(broken_lines(seen) if options.source else [])]:
        if mutant.family in (options.family or [mutant.family]) and options.row in (
            None,
            mutant.name.split(":")[0].split(" ")[0],
        ):
            families[mutant.family].append(mutant)
    gc.freeze()
    print(f"{'':16}{'mutants':>12}{'killed':>12}{'equivalent':>12}{'survived':>12}")
    total: Counter[str] = Counter()
    for family, mutants in sorted(families.items()):
        counts = Counter(mutants=len(mutants))
        for mutant in mutants:
            found = killer(mutant, seen)
            fate = "killed" if found else "equivalent" if mutant.name in EQUIVALENT else "survived"
            counts[fate] += 1
            if fate == "survived" or options.verbose:
                how = f"by {found[0].name}: {found[1]}" if found else f"{len(mutant.checks)} tests"
                print(f"  {fate} {mutant.line or ''} {mutant.name}   {how}", flush=True)
        print(_line(family, counts), flush=True)
        total += counts
    print(_line("in all", total))
    print(f"{time.perf_counter() - start:.0f} s")
    return 1 if total["survived"] else 0


if __name__ == "__main__":
    sys.exit(main())
