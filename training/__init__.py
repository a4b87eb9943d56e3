"""Parts of the programs train.py, evaluate.py and sweep.py."""

import os

os.environ["MPLBACKEND"] = "agg"  # the programs only write files; another value can fail when matplotlib is imported
