"""A SLURM of one node on loopback: a real controller and a real node daemon, without authentication."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from .gated import until

CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
SlurmctldPort={controller}
SlurmdPort={node}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/node.pid
SlurmctldLogFile={folder}/controller.log
SlurmdLogFile={folder}/node.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
ReturnToService=2
KillWait=2
PropagateResourceLimits=NONE
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def found() -> bool:
    """Whether SLURM is installed; Debian keeps the daemons out of a user's PATH."""
    return all(_tool(t) for t in ("slurmctld", "slurmd", "sbatch", "srun", "squeue"))


class Slurm:
    """The two daemons; ``environment`` leads the commands of a user to them."""

    def __init__(self, folder: Path) -> None:
        for name in ("state", "spool"):
            (folder / name).mkdir()
        self.state = folder / "state" / "job_state"
        ports = [_free_port() for _ in range(2)]
        host = socket.gethostname().partition(".")[0]
        text = CONF.format(host=host, user=getpass.getuser(), folder=folder, controller=ports[0], node=ports[1])
        (folder / "slurm.conf").write_text(text)
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf")}
        self.start_controller()
        self.start_node()
        until(lambda: "idle" in self.say("sinfo", "-h", "-o", "%T"))

    def start_controller(self) -> None:
        self.controller = self._start("slurmctld")

    def start_node(self) -> None:
        self.node = self._start("slurmd")

    def stop(self) -> None:
        for daemon in (self.node, self.controller):
            daemon.terminate()
            daemon.wait(30)

    def say(self, *words: str) -> str:
        """Return what a command says; nothing where the controller is away."""
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | self.environment)
        return done.stdout

    def save_state(self) -> None:
        """Wait until the controller has written down what runs, which it does some seconds after something changed."""
        now = time.time()
        self.say("sbatch", "--hold", "--output=/dev/null", "--wrap=true")
        until(lambda: self.state.stat().st_mtime > now)

    def wait_until_empty(self) -> None:
        """Wait until no job waits or runs."""
        until(lambda: self.say("squeue", "-h", "-o", "x%A") == "" and "idle" in self.say("sinfo", "-h", "-o", "%T"))

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        words = [_tool(name), "-D"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
        return subprocess.Popen(words, env=os.environ | self.environment, **quiet)


def _tool(name: str) -> str:
    return shutil.which(name, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])) or ""


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
