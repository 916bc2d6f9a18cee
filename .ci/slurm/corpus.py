"""A corpus on a real Slurm: corpus.py FOLDER

20,000 made-up notes in 20 tasks of an array, with config/slurm/extract.sbatch, through a gateway. While some tasks are half
done and wait for the gateway, a worker is killed, a task is cancelled, a third gets the signal of its time limit, and the
gateway is killed; then the gateway is started again, and the cancelled task put back into the queue. At the end every note
has exactly one result.
"""

import collections
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from cluster import Cluster, daemon, free_port, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
GATEWAY = pathlib.Path(os.environ["CARGO_TARGET_DIR"], "debug", "gateway")
SCRIPT = ROOT / "config" / "slurm" / "extract.sbatch"
NOTES, SHARDS = 20_000, 20
STARTED = time.monotonic()


def say(line):
    print(f"{time.monotonic() - STARTED:6.1f} s  {line}", flush=True)


def make_notes(path):
    sites = ["colon", "lung", "breast", "ovary", "kidney"]
    with path.open("w") as out:
        for number in range(NOTES):
            text = f"Visit {number}. Stage {['I', 'II', 'III', 'IV'][number % 4]} cancer of the {sites[number % 5]}, given cisplatin."
            if number % 10 == 9:
                text = f"Visit {number}. The blood pressure is well controlled. No change."
            out.write(json.dumps({"id": f"n-{number}", "text": text}) + "\n")


class Service:
    """The gateway that the tasks ask, on a port that it keeps. It reads so many notes a second that tasks can be met half done."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "GATEWAY_RATE__GLOBAL": "900/s"}
        self.child = daemon([GATEWAY, "serve", "--engine", "rules", "--listen", f"127.0.0.1:{self.port}"], self.folder, "gateway", environment)
        until("the gateway listens", lambda: subprocess.run([GATEWAY, "healthcheck", "--listen", f"127.0.0.1:{self.port}"], capture_output=True).returncode == 0)

    def pause(self):
        self.child.send_signal(signal.SIGSTOP)

    def kill(self):
        self.child.kill()
        self.child.wait()


def results(folder, shard, part=False):
    return folder / f"results-{shard:04}-of-{SHARDS:04}.jsonl{'.part' if part else ''}"


def count(path):
    """The notes of a file that were read. Those that failed are tried again."""
    return path.read_bytes().count(b'","status":200,') if path.exists() else 0


def half_done(folder):
    found = [shard for shard in range(SHARDS) if 100 <= count(results(folder, shard, part=True)) <= 900]
    return found if len(found) >= 3 else None


def worker_of(shard):
    """The process id of the gateway that reads a shard; not of the shell that started it."""
    for process in pathlib.Path("/proc").iterdir():
        try:
            program = os.readlink(process / "exe")
            variables = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if program == str(GATEWAY.resolve()) and f"SLURM_ARRAY_TASK_ID={shard}".encode() in variables:
            return int(process.name)
    raise SystemExit(f"no process reads shard {shard}")


def parent_of(process):
    """The shell that started a worker."""
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"^PPid:\s+(\d+)", status, re.M)[1])


def submit(cluster, folder, log, *flags):
    command = ["sbatch", "--parsable", f"--array=0-{SHARDS - 1}", f"--chdir={folder}", f"--output={log}/task-%a.log", f"--export=ALL,GATEWAY={GATEWAY}"]
    return cluster.said(*command, SCRIPT, "notes.jsonl", "results.jsonl", *flags)


def ended(cluster, job, seconds):
    until("all tasks have ended", lambda: not cluster.said("squeue", "-h", "-j", job, check=False), seconds, pause=0.5)
    states = cluster.said("scontrol", "show", "job", "-o", job)
    return collections.Counter(re.findall(r"JobState=(\w+).*? ExitCode=(\S+)", states))


def run(cluster, folder, log):
    make_notes(folder / "notes.jsonl")
    service = Service(cluster.folder)
    job = submit(cluster, folder, log, "--server", service.url)
    say(f"job {job}: {SHARDS} tasks, {NOTES:,} notes, two nodes")
    killed, cancelled, limited, *_ = until("three tasks are half done", lambda: half_done(folder), 90)
    service.pause()
    say(f"tasks {killed}, {cancelled} and {limited} are half done; the gateway stands still")
    os.kill(worker_of(killed), signal.SIGKILL)
    cluster.said("scancel", f"{job}_{cancelled}")
    # To the script, the worker's parent, as Slurm does with --signal=B:USR1. `scancel --batch` sends it again and again.
    os.kill(parent_of(worker_of(limited)), signal.SIGUSR1)
    say(f"the worker of task {killed} is killed (-9), task {cancelled} is cancelled, task {limited} is at its time limit")
    service.kill()
    say("the gateway is killed (-9)")
    until("the cancelled task has ended", lambda: "JobState=CANCELLED" in cluster.said("scontrol", "show", "job", f"{job}_{cancelled}"), pause=0.3)
    kept = {shard: count(results(folder, shard, part=True)) for shard in (killed, cancelled, limited)}
    assert not any(results(folder, shard).exists() for shard in kept), "a part has a final name"
    cluster.said("scontrol", "requeue", f"{job}_{cancelled}")
    service.start()
    say(f"the gateway runs again, task {cancelled} is back in the queue")
    # Half a minute on a quiet machine.
    states = ended(cluster, job, 600)
    say("ended: " + ", ".join(f"{number} {state} with {code}" for (state, code), number in states.items()))
    assert states == {("COMPLETED", "0:0"): SHARDS}, states
    for shard, why in {killed: "ended with 137: back", cancelled: "CANCELLED AT", limited: "ended with 1: back"}.items():
        said = (log / f"task-{shard}.log").read_text()
        assert why in said, said
        continued = re.search(r"continuing with \S+: ([\d,]+) notes are done", said)
        assert continued, said
        done = int(continued[1].replace(",", ""))
        assert done >= kept[shard] > 0, (done, kept[shard])
        say(f"task {shard} continued with {done} of its notes, and read {NOTES // SHARDS - done}")
    service.kill()
    return job


def check(folder):
    ids = collections.Counter()
    for shard in range(SHARDS):
        for line in results(folder, shard).read_text().splitlines():
            result = json.loads(line)
            assert result["status"] == 200, result
            ids[result["id"]] += 1
    assert set(ids) == {f"n-{number}" for number in range(NOTES)}, "ids are missing, or of no note"
    assert max(ids.values()) == 1, "ids are there twice"
    left = sorted(path.name for path in folder.iterdir() if not re.fullmatch(r"results-\d{4}-of-0020\.jsonl|notes\.jsonl", path.name))
    assert not left, left
    say(f"{len(ids):,} ids, none twice, none missing; no other file is left")


def run_again(cluster, folder, log):
    """The same command again: no gateway is there any more, and none is needed."""
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    job = submit(cluster, folder, log, "--server", "http://127.0.0.1:9")
    states = ended(cluster, job, 300)
    assert states == {("COMPLETED", "0:0"): SHARDS}, states
    assert before == {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    say("the same array again: all shards were whole, nothing was read")


def main(folder):
    folder = pathlib.Path(folder).resolve()
    corpus, log = folder / "corpus", folder / "tasks"
    corpus.mkdir(parents=True)
    log.mkdir()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    cluster = Cluster(folder / "slurm")
    try:
        with cluster:
            run(cluster, corpus, log)
            check(corpus)
            run_again(cluster, corpus, log)
    except BaseException:
        for text in [*cluster.logs(), *(f"-- {path.name}:\n{path.read_text()[-1500:]}" for path in sorted(log.iterdir()))]:
            print(text)
        raise


main(sys.argv[1])
