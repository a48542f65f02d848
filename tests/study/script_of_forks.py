"""A Python script, run as a fork with the arguments that follow it, whose workers are forks too."""

import runpy
import sys

from neurosim.study.engine import launch
from tests import forks

if __name__ == "__main__":
    launch.WORKER = forks.command(*launch.WORKER[1:])
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
