"""A SLURM cluster of one node, this machine, gone with the test; needs root and Debian's slurm-wlm."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "squeue", "sinfo", "srun")
CONFIG = """
ClusterName=test
SlurmctldHost={host}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
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
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
NodeName={host} CPUs={cores} RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
"""


@contextlib.contextmanager
def one_node(folder: Path) -> Generator[None, None, None]:
    """Start authentication, controller and node; ``SLURM_CONF`` in the environment tells every command."""
    path = os.pathsep.join((os.environ["PATH"], "/usr/sbin"))
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"no SLURM to start here: {', '.join(missing) or 'not root'}")
    config = folder / "slurm.conf"
    config.write_text(
        CONFIG.format(
            host=socket.gethostname(), ports=_free_ports(2), folder=folder, cores=len(os.sched_getaffinity(0))
        )
    )
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    environment = os.environ | {"PATH": path, "SLURM_CONF": str(config)}
    programs = (
        [
            *("munged", "--foreground", "--force", f"--socket={folder}/munge.socket", f"--key-file={key}"),
            *(
                f"--pid-file={folder}/munged.pid",
                f"--seed-file={folder}/seed",
                f"--log-file={folder}/munged.log",
            ),
        ],
        ["slurmctld", "-D"],
        ["slurmd", "-D"],
    )
    running: list[subprocess.Popen[bytes]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", path)
        patch.setenv("SLURM_CONF", str(config))
        try:
            for words in programs:
                running.append(
                    subprocess.Popen(
                        words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                    )
                )
                time.sleep(0.5)
            try:
                _wait_for_node()
            except subprocess.SubprocessError as error:
                pytest.skip(f"SLURM runs no job here: {error}")
            yield
        finally:
            subprocess.run(["scancel", "--user=root"], check=False, capture_output=True)
            for each in reversed(running):
                each.terminate()
            for each in running:
                each.wait(20)


def jobs() -> list[str]:
    """Numbers of the jobs that run or wait."""
    listed = subprocess.run(["squeue", "-h", "-o", "%i"], capture_output=True, text=True, check=True)
    return listed.stdout.split()


def _wait_for_node() -> None:
    for _ in range(60):
        found = subprocess.run(["sinfo", "-h", "-o", "%t"], capture_output=True, text=True, check=False)
        if found.stdout.split() == ["idle"]:
            subprocess.run(["srun", "--ntasks=1", "true"], check=True, timeout=30)
            return
        time.sleep(0.5)
    pytest.skip(f"SLURM does not come up here: {found.stdout or found.stderr}")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("", 0))
        return [each.getsockname()[1] for each in sockets]
