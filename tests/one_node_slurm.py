"""A SLURM cluster of one node that a test starts and stops, from the packages slurm-wlm and munge.

Everything that it writes is in one folder, but for a link to its configuration where SLURM's
commands look for it. It needs root.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

FOUND = Path("/etc/slurm/slurm.conf")
DAEMONS = ("munged", "slurmctld", "slurmd")
CONFIGURATION = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
SwitchType=switch/none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Why there can be no cluster here; empty if there can."""
    absent = [name for name in (*DAEMONS, "sbatch") if not _program(name)]
    if absent:
        return f"not installed: {', '.join(absent)} (Debian: apt-get install slurm-wlm munge)"
    if FOUND.exists():
        return f"this machine has a cluster: {FOUND}"
    return "" if os.geteuid() == 0 else "SLURM's daemons need root"


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")


class Cluster:
    """While it is entered, SLURM's commands find it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Cluster":
        try:
            self._begin()
        except BaseException:
            self._stop()
            raise
        return self

    def _begin(self) -> None:
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        text = CONFIGURATION.format(
            host=socket.gethostname().partition(".")[0],
            folder=self.folder,
            ports=_free_ports(2),
            cpus=os.cpu_count(),
            memory=memory * 9 // 10,
        )
        (self.folder / "slurm.conf").write_text(text)
        FOUND.parent.mkdir(exist_ok=True)
        FOUND.unlink(missing_ok=True)  # a link to one that is gone
        FOUND.symlink_to(self.folder / "slurm.conf")
        places = {"key-file": key, "socket": self.folder / "munge.socket"}
        places |= {f"{kind}-file": self.folder / f"munge.{kind}" for kind in ("pid", "log", "seed")}
        options = [f"--{name}={place}" for name, place in places.items()]
        self._start("munged", "--foreground", "--force", *options)
        _wait_for((self.folder / "munge.socket").exists, "munged")
        self._start("slurmctld", "-D")
        self._start("slurmd", "-D", "-N", socket.gethostname().partition(".")[0])
        _wait_for(lambda: "idle" in self.run("sinfo", "-h", "-o", "%t"), "the node")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.run("scancel", "--user=root")
        self._stop()

    def _stop(self) -> None:
        for daemon in reversed(self._daemons):
            daemon.terminate()
            daemon.wait(timeout=60)
        FOUND.unlink(missing_ok=True)

    def run(self, *command: str) -> str:
        """What one of SLURM's commands prints."""
        return subprocess.run(command, capture_output=True, text=True).stdout

    def _start(self, name: str, *options: str) -> None:
        with (self.folder / f"{name}.out").open("wb") as out:
            program = str(_program(name))
            self._daemons.append(subprocess.Popen([program, *options], stdout=out, stderr=out))


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _wait_for(ready: Callable[[], bool], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} is not ready after {seconds:g} s")
        time.sleep(0.5)
