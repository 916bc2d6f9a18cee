"""A real Slurm on this host: munge, a controller and two nodes, all in one folder and on free ports. It ends with the `with` block."""

import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import time

NODES = 2
CPUS = 2
PR_SET_PDEATHSIG = 1


def until(what, is_so, seconds=60, pause=0.05):
    """Waits until something is so; says what was waited for if it never is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = is_so()
        if found:
            return found
        time.sleep(pause)
    raise TimeoutError(f"not within {seconds} s: {what}")


def free_port():
    """A port that was free a moment ago: neither program takes port 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def dies_with_parent():
    """However this script ends, its programs end too."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def daemon(command, folder, name, environment=None):
    with open(folder / "log" / f"{name}.out", "a") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, preexec_fn=dies_with_parent
        )


def kill_after_parent(mark):
    """A process that waits for the end of this script, whatever ends it, and kills what is left of the cluster: a node's
    jobs go on without their node. `mark` stands in the environment of them all."""
    ours, parents = os.pipe()
    if os.fork():
        os.close(ours)
        return parents
    os.setsid()
    os.close(parents)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    # The end of the file comes with the end of the parent, which alone has the other end.
    os.read(ours, 1)
    for process in pathlib.Path("/proc").iterdir():
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)
        except (OSError, ValueError):
            continue
    os._exit(0)


class Cluster:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        for name in ["log", "run", "state", *[f"spool/n{number}" for number in range(NODES)]]:
            (self.folder / name).mkdir(parents=True)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        self.socket = self.folder / "run" / "munge.sock"
        (self.folder / "slurm.conf").write_text(self.settings())
        # Newer versions ask systemd for a control group, even if nothing uses one.
        (self.folder / "cgroup.conf").write_text("IgnoreSystemd=yes\n")
        self.environment = os.environ | {"SLURM_CONF": str(self.folder / "slurm.conf")}
        self.daemons = []
        self.watcher = kill_after_parent(f"SLURM_CONF={self.folder / 'slurm.conf'}".encode())

    def settings(self):
        host, folder = socket.gethostname().split(".")[0], self.folder
        nodes = "\n".join(
            f"NodeName=n{number} NodeHostname={host} NodeAddr=127.0.0.1 Port={free_port()} CPUs={CPUS}" for number in range(NODES)
        )
        # Without accounting, control groups and prologs: of these the array needs nothing. A requeued job waits for its
        # credential to expire, which takes two minutes unless it is said.
        return f"""ClusterName=ci
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={free_port()}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={self.socket},cred_expire=3
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1,requeue_delay=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
KillWait=30
MinJobAge=3600
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""

    def __enter__(self):
        folder = self.folder
        try:
            self.start("munged", ["munged", "--foreground", "--force", f"--key-file={folder}/munge.key", f"--socket={self.socket}",
                f"--pid-file={folder}/run/munged.pid", f"--seed-file={folder}/run/seed", f"--log-file={folder}/log/munged.log"])
            until("munge listens", self.socket.exists)
            self.start("slurmctld", ["slurmctld", "-D", "-c"])
            for number in range(NODES):
                self.start(f"slurmd-n{number}", ["slurmd", "-D", "-N", f"n{number}"])
            until("both nodes are idle", lambda: self.said("sinfo", "-h", "-N", "-o", "%t", check=False).split() == ["idle"] * NODES, pause=0.3)
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self, name, command):
        self.daemons.append(daemon(command, self.folder, name, self.environment))

    def __exit__(self, *_):
        """Cancels the jobs, whose processes do not belong to the nodes' daemons, and ends the daemons."""
        subprocess.run(["scancel", "--signal=KILL", "--full", "--me"], env=self.environment, capture_output=True, timeout=30)
        subprocess.run(["scancel", "--me"], env=self.environment, capture_output=True, timeout=30)
        try:
            until("no job is left", lambda: not self.said("squeue", "-h", check=False), seconds=20, pause=0.3)
        except TimeoutError:
            print("jobs are left in the queue")
        for program in reversed(self.daemons):
            program.kill()
            program.wait()

    def said(self, *command, check=True):
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)
        if check and done.returncode:
            raise SystemExit(f"{' '.join(command)}: status {done.returncode}: {done.stderr}")
        return done.stdout.strip()

    def logs(self):
        for log in sorted((self.folder / "log").iterdir()):
            yield f"-- {log.name}:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-25:])
