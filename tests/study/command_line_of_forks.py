"""The command line, run as a fork, whose workers are forks too."""

from neurosim import cli
from neurosim.study.engine import launch
from tests import forks

if __name__ == "__main__":
    launch.WORKER = forks.command(*launch.WORKER[1:])
    cli.main()
