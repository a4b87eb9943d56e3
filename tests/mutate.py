"""Mutation testing: break every rule of the gradient table in turn, and check whether a test fails.

    python tests/mutate.py                      every rule: its sign, a factor, each axis, its flags
    python tests/mutate.py --source             also every line of the rules and of the functions they call
    python tests/mutate.py --family norms -v    the rules of one file, and which test killed which mutant

A *mutant* is the library with one error. A test that fails kills it; a mutant that no test kills *survives*, and shows that
a test is missing. First every test runs on the unmodified library, and the rules (or lines) that it runs are noted. Then
each mutant, in its own process, is tested by the tests that ran the broken code, until one of them fails.

The tests are those of the files in `mutants.checks.SUITE`, called as pytest calls them. Some mutants are equivalent to the
original and cannot be killed: `mutants.equivalent` lists them, with the reasons. The exit status is 1 if any other mutant
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

from tensorgrad.functional import *  # noqa: F403  (this and the other imports: the whole table)
from tensorgrad.rules import fft  # noqa: F401
from tensorgrad.transforms import recompute  # noqa: F401

KILLED, SURVIVED, FAILED = range(3)


def killer(mutant: Mutant, seen: Seen) -> tuple[Check, str] | None:
    """The test that kills a mutant, and its error."""
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
        raise RuntimeError(f"this mutant could not be created: {mutant.name}")
    if status == SURVIVED:
        return None
    k, how = last.split(" ", 1)
    seen.kills[order[int(k)]] += 1
    return order[int(k)], how


def _live(mutant: Mutant, order: list[Check], seen: Seen, pipe: int) -> int:
    """The process of a mutant: run one test after the other, and report each."""
    try:
        mutant.install()
    except BaseException:
        traceback.print_exc()
        return FAILED
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
    for k, check in enumerate(order):
        os.write(pipe, f"\n{k} hangs or crashes".encode())  # the last message of a process that does
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
    parser.add_argument("--family", nargs="+", help="only mutants in the files with these names")
    parser.add_argument("--row", help="only the rules of the function with this name")
    parser.add_argument(
        "--source", action="store_true", help="also break the lines of the rules and of the functions they call"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show which test killed each mutant")
    options = parser.parse_args()
    start = time.perf_counter()
    save_as_before()
    seen = Seen()
    results = Results(seen)
    seen.run(FILES if options.source else frozenset())
    results.restore()
    print(f"{len(seen.seconds)} tests in {time.perf_counter() - start:.0f} s", flush=True)
    for failure in seen.left_out:
        print(f"  fails on the unmodified library, and is skipped: {failure}")

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
    print(_line("total", total))
    print(f"{time.perf_counter() - start:.0f} s")
    return 1 if total["survived"] else 0


if __name__ == "__main__":
    sys.exit(main())
