"""The summary after the comparison: the compared functions, and the largest differences."""

import sys


def pytest_terminal_summary(terminalreporter):
    both = sys.modules.get("compare.both")
    if both is not None and both.met.calls:
        terminalreporter.write_line(f"compared with PyTorch: {both.met}")
