"""Records the series of a real gateway while its model servers do what the alert rules are about.

    record.py          writes .ci/alerts/recorded.json: for each phase what its counters gained and how its gauges stood
                       at its end; takes about a minute and a half
    record.py compare  writes nothing, and fails if the gateway of today lacks series of that file
"""

import json
import re
import sys
import tempfile
import threading
import time

from parts import HERE, NOTE, PLAIN_NOTE, ROOT, Gateway, ModelServer, until


def wanted_names():
    """The gateway's metrics that the rules name."""
    return set(re.findall(r"\b(?:gateway|process)_[a-z_]+\b", (ROOT / "config" / "alerts.yaml").read_text()))


def is_counter(series):
    return re.search(r"_(total|bucket|count|sum)(\{|$)", series) is not None


class Recorder:
    def __init__(self):
        self.names, self.phases = wanted_names(), {}

    def wanted(self, series):
        name = series.split("{")[0]
        return name in self.names and ('stage="' not in series or 'stage="engine"' in series)

    def phase(self, name, gateway, before):
        """Ends a phase that began with `before`; returns how it ended."""
        after = {series: value for series, value in gateway.series().items() if self.wanted(series)}
        # A counter of the model server begins again with it.
        gained = {series: max(value - before.get(series, 0.0), 0.0) for series, value in after.items() if is_counter(series)}
        held = {series: value for series, value in after.items() if not is_counter(series)}
        if "process_start_time_seconds" in held:
            held["process_start_time_seconds"] = 0.0  # the phases are played at another time
        self.phases[name] = {"gained": {series: value for series, value in gained.items() if value}, "held": held}
        self.phases.setdefault("series", sorted(after))
        return after

    def main_gateway(self, folder):
        first, second = ModelServer(), ModelServer()
        ports = [first.port, second.port]
        for server in (first, second):
            server.kill()
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        with Gateway(folder, urls, AUDIT__PATH="audit.jsonl", ADMISSION__IN_FLIGHT="8", ADMISSION__QUEUE="270") as gateway:
            assert gateway.state("loading") == 2
            self.phase("loading", gateway, gateway.series())
            servers = [ModelServer(port) for port in ports]
            try:
                self.with_model(gateway, servers, ports)
            finally:
                for server in servers:
                    server.kill()

    def with_model(self, gateway, servers, ports):
        def act(**wanted):
            for server in servers:
                server.act(**wanted)

        def ready():
            until("both model servers are ready", lambda: gateway.state("ready") == 2)

        ready()
        at = self.phase("ready", gateway, gateway.series())
        assert gateway.read(60) == [200] * 60
        at = self.phase("healthy", gateway, at)
        act(answer="error")
        assert set(gateway.read(20)) == {502}
        # Servers that fail again and again are left out for a while.
        act(answer="record")
        ready()
        at = self.phase("errors", gateway, at)
        for server in servers:
            server.kill()
        until("both are unreachable", lambda: gateway.state("unreachable") == 2)
        assert set(gateway.read(20)) == {503}
        at = self.phase("killed", gateway, at)
        servers[:] = [ModelServer(port) for port in ports]
        ready()
        at = self.phase("back", gateway, at)
        act(answer="unusable")
        assert set(gateway.read(10)) == {502}
        at = self.phase("unusable", gateway, at)
        act(answer="empty")
        assert gateway.read(20, PLAIN_NOTE) == [200] * 20
        at = self.phase("empty", gateway, at)
        act(answer="unsupported")
        assert gateway.read(20) == [200] * 20
        at = self.phase("unsupported", gateway, at)
        act(answer="record", kv_cache=0.97, preemptions=40)
        until("the gateway has read it", lambda: any("kv_cache" in name and value > 0.9 for name, value in gateway.series().items()))
        until("of both", lambda: sum(value for name, value in gateway.series().items() if "preemptions" in name) == 80)
        at = self.phase("kv_full", gateway, at)
        act(kv_cache=0.1)
        until("the gateway has read it", lambda: all("kv_cache" not in name or value < 0.9 for name, value in gateway.series().items()))
        at = self.phase("kv_free", gateway, at)
        # Before the slow phase, after which the gateway expects long waits and refuses at once.
        act(delay=10.0)
        crowd = threading.Thread(target=gateway.read, args=(320, NOTE, 320))
        crowd.start()
        until("the queue is full", lambda: gateway.series()["gateway_queue_depth"] > 256)
        act(delay=0.0)
        self.phase("waiting", gateway, at)
        crowd.join()
        at = gateway.series()
        assert at["gateway_queue_refused_total"] > 0
        act(delay=25.0)
        assert gateway.read(8) == [200] * 8
        at = self.phase("slow", gateway, at)
        act(delay=0.0)
        self.phase("idle", gateway, at)

    def other_gateways(self, folder):
        with ModelServer() as server:
            with Gateway(f"{folder}/audit", [server.url], AUDIT__PATH="/dev/full") as gateway:
                until("it is ready", lambda: gateway.state("ready") == 1)
                at = gateway.series()
                gateway.read(5)
                until("lines are lost", lambda: gateway.series()["gateway_audit_lines_lost_total"] == 5)
                self.phase("audit_failing", gateway, at)
        with ModelServer() as first, ModelServer() as second, Gateway(f"{folder}/rules", [first.url, second.url], FALLBACK="rules") as gateway:
            until("both are ready", lambda: gateway.state("ready") == 2)
            first.kill()
            second.kill()
            until("both are unreachable", lambda: gateway.state("unreachable") == 2)
            at = gateway.series()
            assert gateway.read(10) == [200] * 10
            self.phase("degraded", gateway, at)


def names(phases):
    """The series of a recording, by phase, without the buckets, which depend on the machine's speed."""
    kinds = {phase: [series for kind in found.values() for series in kind] for phase, found in phases.items() if phase != "series"}
    return {phase: sorted(one for one in found if "_bucket" not in one) for phase, found in (kinds | {"series": phases["series"]}).items()}


def recorded():
    recorder = Recorder()
    with tempfile.TemporaryDirectory() as folder:
        recorder.main_gateway(f"{folder}/main")
        recorder.other_gateways(folder)
    phases = recorder.phases
    seen = {series.split("{")[0] for found in names(phases).values() for series in found}
    missing = {name for name in recorder.names if not name.endswith("_bucket")} - seen
    assert not missing, f"the rules name what the gateway does not have: {missing}"
    return phases


def main(arguments):
    path, phases = HERE / "recorded.json", recorded()
    if arguments != ["compare"]:
        path.write_text(json.dumps(phases, indent=1, sort_keys=True) + "\n")
        return
    # More is no fault: a new route has series of its own.
    today, tracked = names(phases), names(json.loads(path.read_text()))
    gone = {phase: found - set(today.get(phase, [])) for phase, found in ((phase, set(found)) for phase, found in tracked.items())}
    gone = {phase: sorted(found) for phase, found in gone.items() if found}
    if gone:
        sys.exit(f"the gateway no longer has series of recorded.json: run .ci/alerts/record.py\n{gone}")


if __name__ == "__main__":
    main(sys.argv[1:])
