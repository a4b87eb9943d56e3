"""Write docs/gradients.md: every function of the gradient table, its formula, domain, conventions and measured errors.

    python docs/gradients.py            # write the page: a quarter of a minute
    python docs/gradients.py --check    # fail if the page is not what the tables say, or an error has grown
    python docs/gradients.py --check --fast    # the same without measuring errors

The page is read off the registry (`tensorgrad.engine.registry`), the source of its rules, and the test table.
"""

from __future__ import annotations

import argparse
import difflib
import math
import platform
import re
import sys
from collections import defaultdict
from typing import Any

import numpy as np
from gradient_entries import (
    NAMES,
    Entry,
    collect,
    conventions,
    refusals,
    results_without_gradient,
    sentence,
    without_gradient,
)
from gradient_rows import ROOT, Row, errors, rows_of, ways

PAGE = ROOT / "docs" / "gradients.md"
COMMAND = "python docs/gradients.py"
CHAPTERS = [("tensorgrad/rules/", "NumPy's functions"), ("tensorgrad/functional/", "Functions of neural networks"),
            ("tensorgrad/", "The engine's own")]  # fmt: skip
NONE = "-"
SMALLEST = -15  # among powers of ten
RAISED, PLAIN_DIGITS = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"
ERROR = re.compile(rf"(?<=\| )(?:0|10[{RAISED}]+|inf)(?= \|)")

HEAD = """\
# Every gradient

What the engine differentiates, read off its table: the formula of each gradient, the domain in which it is tested, the
conventions it follows, and how far it is from a numerical derivative. Made by `{command}`; do not edit.

{made}

## How to read it

* **Function**: its inputs, then the parameters it supports, in NumPy's order and by NumPy's names; those after `;` by
  way of a composition. Every other parameter is refused by name. Below it, other ways to call it; where there is
  `x + y`, there is `x += y`. In *italics*: parts for use inside.
* **Gradient**: of each input, as it stands in the table, in NumPy: `g` is the gradient of the output, `ans` the output;
  of what begins with an underscore, such as `_x`, only the shape and the dtype are saved.
  Broadcasting, dtypes and `0 * inf` are no business of a rule. A *composed* function has no rule: it is written in
  terms of others, and so is its gradient. What else a formula calls is explained below its table.
* **Domain**: where the [test table](../tests/cases/rows.py) draws the inputs, see [domains](#domains).
  *complex*: holds between complex values, too. *selects*: leaves elements out, and what was computed in these does not
  count, whatever it is: see `tensorgrad/engine/zero_rule.py`.
* **Conv.**: the lines of [conventions.md](conventions.md) that speak of it.
* **1st**, **2nd**: the measured errors of its first and second derivatives, the largest
  `abs(analytic - numeric) / (1 + abs(numeric))` in float64 over the rows of the test table that call it (and nothing
  else but arithmetic, where there are such rows), rounded up to a power of ten; 0 where both are exactly 0. A numeric
  derivative is made of five central differences, with steps from 1/256 down, extrapolated to a step of 0 (Ridders
  1982): first ones of what NumPy computes, element by element; second ones of the gradient, in a random direction. Most
  of the error that is shown is their own rounding. CI fails where it has grown by more than one power.

## Contents

"""

PLAIN = """\
What these return is piecewise constant, or text, or new: they run on the values, and the result carries no gradient.

"""

REFUSED = """\
On a tensor that requires a gradient, these raise `NoRuleError`, which names the function; on other tensors they run as
in NumPy. What to do: write it with functions that have a rule; or give it one, with `tg.primitive` and `tg.rule`; or
pass `t.detach()`, if no gradient is wanted. The same holds for parameters that stand in none of these tables, and for
methods of ufuncs (`np.multiply.at`, `np.add.reduceat`) other than `outer`, `np.add.at`, `np.subtract.at`, and the
`reduce` and `accumulate` that a function stands for.

"""


def main(arguments: list[str]) -> int:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare with the page instead of writing it")
    parser.add_argument("--fast", action="store_true", help="with --check: do not measure errors")
    options = parser.parse_args(arguments)
    if options.fast and not options.check:
        parser.error("--fast is for --check: a page without errors is not written")
    with np.errstate(all="ignore"):
        page = render(measure=not options.fast)
    if not options.check:
        PAGE.write_text(page, encoding="utf-8")
        return 0
    wrong = differences(PAGE.read_text(encoding="utf-8") if PAGE.exists() else "", page, measured=not options.fast)
    if wrong:
        stale = wrong[0][0] in "+-"  # else it is not the page that is to be mended
        what = f"is not what the tables say: run {COMMAND}" if stale else "promises smaller errors: is a rule wrong?"
        print(f"{PAGE.relative_to(ROOT)} {what}", *wrong[:20], sep="\n")
    return 1 if wrong else 0


def differences(old: str, new: str, measured: bool) -> list[str]:
    """What is not as the page says, a line each; of measured errors, those that have grown by more than one power."""
    texts = [comparable(page, same_numpy=numpy_of(old) == numpy_of(new)) for page in (old, new)]
    wrong = [line for line in list(difflib.unified_diff(*texts, n=0))[2:] if not line.startswith("@@")]
    if wrong or not measured:
        return wrong
    for before, after in zip(old.splitlines(), new.splitlines(), strict=False):
        for order, printed, found in zip("12", ERROR.findall(before), ERROR.findall(after), strict=False):
            if power_of(found) > power_of(printed) + 1:
                function = before.split(" | ")[0].strip("| ")
                wrong.append(f"{function}: the error of derivative {order} is {found}, the page says {printed}")
    return wrong


def comparable(page: str, same_numpy: bool) -> list[str]:
    """The lines that must agree. What NumPy offers beside our tables is compared for the same NumPy only."""
    page = ERROR.sub("", re.sub(r"(?m)^Made with .*\n", "", page))
    return (page if same_numpy else page.partition("\n## Refused\n")[0]).splitlines()


def numpy_of(page: str) -> str:
    """The version of NumPy that a page was made with, without its patch level."""
    found = re.search(r"NumPy (\d+\.\d+)", page)
    return found[1] if found else ""


# ------------------------------------------------------------------------------------------------ the page


def render(measure: bool) -> str:
    """The whole page."""
    entries = collect()
    subject_of = {key: entry for entry in entries for key in entry.keys}
    calls = ways()
    for text, what in calls.items():
        if what in subject_of:
            subject_of[what].ways.append(text)
    rows = rows_of(subject_of.get)
    shown = {row.name: row for some in rows.values() for row in some}
    found = {name: errors(row) for name, row in shown.items()} if measure else {}
    refused = refusals(entries, rows)
    plain = results_without_gradient()
    plain["new arrays"] = [e.names[0] for e in entries if e not in rows and not e.row and e.names[0] not in refused]
    families = defaultdict(list)
    entries = [entry for entry in entries if entry.row or entry in rows]
    for entry in sorted(entries, key=lambda entry: (*place(entry.file), not entry.public, entry.line)):
        families[entry.file].append(entry)

    told = conventions()
    contents, sections, chapter = [], [], ""
    for file, family in families.items():
        title, about = file.removeprefix("tensorgrad/"), sentence(sys.modules[file[:-3].replace("/", ".")].__doc__)
        if chapter != (chapter := CHAPTERS[place(file)[0]][1]):
            contents.append(f"\n**{chapter}**\n")
        count = sum(entry.public for entry in family)
        contents.append(f"* [{title}](#{anchor(title)}){f' ({count})' if count else ''}: {about}")
        sections.append(f"## {title}\n\n{about} See [{file}](../{file}).\n\n{table_of(family, rows, found, told)}\n")
    rest = {"Plain results": section_plain(plain, calls), "Refused": section_refused(refused),
            "Domains": section_domains(shown)}  # fmt: skip
    contents += ["\n**Beside them**\n", *(f"* [{title}](#{anchor(title)})" for title in rest)]
    sections += [f"## {title}\n\n{text}\n" for title, text in rest.items()]
    head = HEAD.format(command=COMMAND, made=counts(families, plain, refused))
    return head + "\n".join(contents) + "\n\n" + "\n".join(sections).rstrip() + "\n"


def place(file: str) -> tuple[int, str]:
    """Where on the page a file comes."""
    return next(i for i, (folder, _) in enumerate(CHAPTERS) if file.startswith(folder)), file


def counts(families: dict[str, list[Entry]], plain: dict[str, list[str]], refused: dict[str, str]) -> str:
    """How many functions there are of each kind; then the versions."""
    entries = [entry for family in families.values() for entry in family]
    public = [entry for entry in entries if entry.public]
    rules, parts = sum(entry.row is not None for entry in public), len(entries) - len(public)
    return (
        f"**{len(public)}** functions differentiate: **{rules}** by a rule of their own, **{len(public) - rules}** "
        f"composed of these\nand of {parts} parts for use inside. **{sum(map(len, plain.values()))}** more give "
        "[plain results](#plain-results).\n"
        f"Made with Python {platform.python_version()} and NumPy {np.__version__}, of whose functions "
        f"**{len(refused)}** are [refused](#refused) by name."
    )


def table_of(family: list[Entry], rows: Any, found: Any, told: Any) -> str:
    """The functions of a file, and the helpers that their formulas name."""
    lines, helpers = ["| function | gradient | domain | conv. | 1st | 2nd |", "|---|---|---|---|---:|---:|"], {}
    for entry in family:
        mine = rows.get(entry, [])
        domains = sorted({domain(row) for row in mine})
        where = ", ".join(f"`{name}`" for name in domains) if len(domains) < 4 else "several"
        flags = " ".join(f"*{flag}*" for flag in entry.flags())
        lead = " ".join(f"[{n}](conventions.md?plain=1#L{n})" for n in told(entry))
        cells = [entry.title(), entry.gradient(), f"{where}<br>{flags}" if flags else where, lead, *worst(mine, found)]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        helpers |= entry.helpers()
    told_of = [f"* `{name}`: {sentence(helpers[name])}" for name in sorted(helpers, key=str.lower)]
    return "\n".join([*lines, *([""] if told_of else []), *told_of]) + "\n"


def worst(rows: list[Any], found: dict[str, tuple[float, float]]) -> tuple[str, str]:
    """The largest errors of first and second order, as powers of ten."""
    if not rows:
        return NONE, NONE
    first, second = zip(*(found.get(row.name, (0, 0)) for row in rows), strict=True)
    return power_of_ten(max(first)), power_of_ten(max(second))


def power_of_ten(error: float) -> str:
    """The next one above."""
    if error == 0 or not math.isfinite(error):
        return f"{error:.0f}"
    power = max(math.ceil(math.log10(error)), SMALLEST)
    return "10" + str(power).translate(str.maketrans(PLAIN_DIGITS, RAISED))


def power_of(written: str) -> float:
    """The power in what `power_of_ten` wrote."""
    if not written.startswith("10"):
        return SMALLEST if written == "0" else math.inf
    return int(written[2:].translate(str.maketrans(RAISED, PLAIN_DIGITS)))


def section_plain(plain: dict[str, list[str]], calls: dict[str, Any]) -> str:
    """Functions without a gradient, and the operators that call them."""
    found = [(NAMES[what][0], text) for text, what in calls.items() if what in without_gradient()]
    operators = {name: f" (`{text}`)" for name, text in reversed(found)}
    lines = [f"* {group}: " + ", ".join(f"`{name}`" + operators.get(name, "") for name in names)
             for group, names in plain.items()]  # fmt: skip
    return PLAIN + "\n".join(lines) + "\n"


def section_refused(refused: dict[str, str]) -> str:
    """Functions of NumPy that raise; those last that name a remedy of their own."""
    general = ", ".join(f"`{name}`" for name, remedy in refused.items() if not remedy)
    special = [f"* `{name}`: {remedy}" for name, remedy in refused.items() if remedy]
    return REFUSED + general + ".\n\nWith a remedy of their own:\n\n" + "\n".join(special) + "\n"


def section_domains(shown: dict[str, Row]) -> str:
    """What the names in the third column mean."""
    used = {domain(row): row.domain.__doc__ or "What one row asks for." for row in shown.values()}
    lines = [f"| `{name}` | {sentence(used[name])} |" for name in sorted(used)]
    return "\n".join(["| name | elements |", "|---|---|", *lines]) + "\n"


def domain(row: Row) -> str:
    """The name of a row's domain."""
    return "its own" if row.domain.__name__ == "<lambda>" else row.domain.__name__


def anchor(title: str) -> str:
    """GitHub's name for a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
