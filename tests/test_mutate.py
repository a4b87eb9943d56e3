"""Mutation testing: for every rule of the gradient table that is broken, a test fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MUTATE = Path(__file__).with_name("mutate.py")


@pytest.mark.mutants
@pytest.mark.skipif(not hasattr(os, "fork"), reason="mutants run in forked processes")
def test_every_mutant_of_every_rule_is_killed():
    run = subprocess.run([sys.executable, MUTATE], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "left out" not in run.stdout
