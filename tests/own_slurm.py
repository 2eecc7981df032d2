"""A Slurm of this machine: three nodes, pretended GPUs, no database, for tests and for a command of one's own.

    python tests/own_slurm.py bash        # sinfo, srun, sbatch, mim train --launcher slurm ... until the shell ends

Debian: ``apt-get install --no-install-recommends slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge``. Nothing
is read from or written to ``/etc`` and ``/run``; every daemon listens on addresses of this machine alone (127.0.0.0/8),
is a child of this process, and ends with it.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
CLIENTS = ("srun", "sbatch", "squeue", "sinfo", "scancel", "scontrol", "setpriv")
SBIN = ("/usr/sbin", "/sbin")  # not in the PATH of everybody
NODES = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
"""Names of the nodes, which are addresses at which ranks find each other on every Linux; the last has no GPU."""
GPU_PARTITION, CPU_PARTITION = "gpu", "cpu"
CONF = """\
ClusterName=tests
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ports[0]}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthInfo=socket={folder}/munge.socket,cred_expire=15
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
GresTypes=gpu
MinJobAge=3600
KillWait=5
JobRequeue=1
AccountingStorageType=accounting_storage/none
NodeName=DEFAULT CPUs=8 RealMemory=8000
NodeName={gpu_nodes[0]} NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[1]} Gres=gpu:2
NodeName={gpu_nodes[1]} NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[2]} Gres=gpu:2
NodeName={cpu_node} NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[3]}
PartitionName=DEFAULT MaxTime=INFINITE DefMemPerCPU=500
PartitionName=gpu Nodes={gpu_nodes[0]},{gpu_nodes[1]} Default=YES
PartitionName=cpu Nodes={cpu_node}
"""


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *SBIN]))


def missing() -> list[str]:
    """Programs that this needs and that are not installed."""
    return [name for name in (*DAEMONS, *CLIENTS) if _program(name) is None]


class OwnSlurm:
    """A running Slurm.

    Attributes:
        folder: Where its files are.
        env: Variables of the environment with which Slurm's commands, and ``mim``, find it.
    """

    gpu, cpu = GPU_PARTITION, CPU_PARTITION

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # gloo asks for the name of the machine otherwise, which may stand for an address of the network.
        own = {"SLURM_CONF": str(folder / "slurm.conf"), "GLOO_SOCKET_IFNAME": "lo"}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH", "SRUN"))}
        self.env = {**kept, **own, "PATH": path}

    def run(self, *command: object, timeout: float = 60, check: bool = True) -> str:
        """Run a command and return what it prints; with ``check``, one that fails is an error that shows why."""
        done = subprocess.run([*map(str, command)], env=self.env, capture_output=True, text=True, timeout=timeout)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}{self.logs()}")
        return done.stdout.strip()

    def state(self, job: str) -> str:
        """State of a job, also of one that has ended: ``RUNNING``, ``COMPLETED``, ``CANCELLED`` ..."""
        return self.run("squeue", "--states=all", "--noheader", "--format=%T", f"--jobs={job}")

    def idle_nodes(self) -> int:
        """Number of nodes that take jobs."""
        return len(self.run("sinfo", "--noheader", "--Node", "--states=idle", "--format=%N", check=False).split())

    def wait(self, until: Callable[[], bool], what: str, seconds: float = 60) -> None:
        """Wait until something is so, or fail and say what did not come."""
        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end:
                raise TimeoutError(f"{what} did not come within {seconds:.0f} s.\n{self.run('squeue')}{self.logs()}")
            time.sleep(0.1)

    def cancel_all(self) -> None:
        """End all jobs, and wait until they have."""
        self.run("scancel", "--quiet", "--user", _user(), check=False)
        self.wait(lambda: self.run("squeue", "--noheader") == "", "the end of all jobs", 30)

    def logs(self) -> str:
        """Last lines of all logs."""
        lines = []
        for path in sorted(self.folder.glob("*.log")):
            lines += [f"\n--- {path.name}", *path.read_text(errors="replace").splitlines()[-12:]]
        return "\n".join(lines)


@contextmanager
def own_slurm(folder: Path) -> Iterator[OwnSlurm]:
    """Start a Slurm in a folder, and stop all of it at the end.

    Args:
        folder: Empty folder; its path must be short, for sockets lie in it (at most 80 characters).

    Yields:
        The Slurm, all of whose nodes are idle.
    """
    slurm = OwnSlurm(folder)
    _configure(folder)
    with ExitStack() as stack:
        munge = [f"--{what}-file={folder}/munge.{what}" for what in ("key", "seed", "pid")]
        _start(stack, folder, "munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *munge)
        slurm.wait((folder / "munge.socket").exists, "munge's socket", 10)
        _start(stack, folder, "slurmctld", "-D", "-f", folder / "slurm.conf")
        for node in NODES:
            _start(stack, folder, "slurmd", "-D", "-N", node, "-f", folder / "slurm.conf")
        slurm.wait(lambda: slurm.idle_nodes() == len(NODES), "the nodes", 30)
        stack.callback(slurm.cancel_all)
        yield slurm


def _configure(folder: Path) -> None:
    (folder / "state").mkdir()
    for node in NODES:
        (folder / f"spool.{node}").mkdir()
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    values = dict(user=_user(), folder=folder, ports=_free_ports(4))
    (folder / "slurm.conf").write_text(CONF.format(gpu_nodes=NODES[:2], cpu_node=NODES[2], **values))
    gres = []
    for node in NODES[:2]:
        for index in (0, 1):
            (folder / f"{node}.gpu{index}").touch()
        gres.append(f"NodeName={node} Name=gpu File={folder}/{node}.gpu[0-1]\n")
    (folder / "gres.conf").write_text("".join(gres))


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _start(stack: ExitStack, folder: Path, name: str, *arguments: object) -> None:
    """Start a daemon that ends with this process, also where that is killed."""
    program = _program(name)
    assert program is not None
    node = arguments[2] if name == "slurmd" else ""
    log = stack.enter_context((folder / f"{name}{node}.log").open("wb"))
    command = [str(_program("setpriv")), "--pdeathsig", "KILL", program, *map(str, arguments)]
    daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    stack.callback(_stop, daemon)


def _stop(daemon: subprocess.Popen) -> None:
    daemon.terminate()
    try:
        daemon.wait(10)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


if __name__ == "__main__":
    if absent := missing():
        sys.exit(f"{', '.join(absent)} not found: see the head of {__file__} for the packages.")
    with tempfile.TemporaryDirectory(prefix="slurm-") as place, own_slurm(Path(place)) as own:
        sys.exit(subprocess.run(sys.argv[1:] or ["sinfo"], env=own.env).returncode)
