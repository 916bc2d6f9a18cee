"""Unit tests of the alert rules: plays recorded phases one after the other, and asks promtool which alerts fire.

    rules_test.py RULES FOLDER [RECORDED]

A step of a scenario plays phases of recorded.json so many times within some minutes: counters gain evenly what they gained
in the recording, gauges stand as they stood. Figures of other programs are written here by hand. Each check names all
alerts that fire at a minute: what is not named must be silent.
"""

import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
OWN = {"job": "gateway", "instance": "gateway:8080"}
DISK = 'node_filesystem_%s_bytes{device="/dev/root",fstype="ext4",mountpoint="/",job="node",instance="node-exporter:9100"}'
CERTIFICATE = 'probe_ssl_earliest_cert_expiry{job="certificate",instance="https://notes.example.org"}'
GPU = '{gpu="0",job="dcgm",instance="dcgm-exporter:9400"}'
DAY = 86_400

# Name, minutes between samples, steps, checks. A step: what is played how often, for how many minutes. Phases may be mixed;
# gauges are those of the last one. After the name of the step's phases: figures of other programs, by series.
SCENARIOS = [
    ("healthy, then idle, then healthy", 1,
     [({"healthy": 2}, 60), ({"idle": 1}, 90), ({"healthy": 1}, 30)],
     [(55, []), (119, []), (127, ["IdleBox"]), (160, [])]),
    ("all notes fail", 1,
     [({"healthy": 1}, 60), ({"errors": 3}, 15), ({"healthy": 30}, 90), ({"healthy": 6}, 360)],
     [(59, []), (62, []), (70, ["NotesFailingFast"]), (90, ["NotesFailingSlow"]), (500, [])]),
    ("few notes fail, for long", 1,
     [({"healthy": 4, "errors": 1}, 200), ({"healthy": 4}, 60)],
     [(5, []), (190, ["NotesFailingSlow"]), (259, [])]),
    ("ten notes fail, which says nothing", 1, [({"unusable": 1}, 60)], [(30, []), (59, [])]),
    ("the model server dies and returns", 1,
     [({"healthy": 1}, 30), ({"killed": 3}, 20), ({"back": 1, "healthy": 20}, 60)],
     [(29, []), (31, []), (33, ["NoModelServerReady"]), (40, ["NoModelServerReady", "NotesFailingFast"]), (60, ["NotesFailingSlow"]), (109, [])]),
    ("the model loads for too long", 1,
     [({"loading": 1}, 20), ({"ready": 1}, 30)],
     [(11, []), (14, ["ModelLoadingTooLong"]), (22, [])]),
    ("the audit fails", 1,
     [({"healthy": 1}, 20), ({"audit_failing": 4}, 10), ({"healthy": 1}, 30)],
     [(19, []), (25, ["AuditFailing"]), (33, ["AuditFailing"]), (45, [])]),
    ("the audit fails, and nothing is read", 1, [({"audit_failing": 0}, 15)], [(14, ["AuditFailing"])]),
    ("the rules answer in place of the model", 1,
     [({"healthy": 1}, 20), ({"degraded": 2}, 10), ({"healthy": 1}, 30)],
     [(19, []), (25, ["Degraded", "NoModelServerReady"]), (45, [])]),
    ("slow, with enough notes", 1,
     [({"healthy": 2}, 20), ({"slow": 20}, 30), ({"healthy": 2}, 30)],
     [(19, []), (40, ["EngineSlow"]), (79, [])]),
    ("slow, with few notes", 1, [({"slow": 3}, 60)], [(40, [])]),
    ("calls wait and are refused", 1,
     [({"healthy": 9}, 20), ({"waiting": 1, "healthy": 9}, 1), ({"healthy": 9}, 30)],
     [(19, []), (25, ["QueueLong"]), (45, [])]),
    ("calls wait for long", 1,
     [({"healthy": 9}, 20), ({"waiting": 0}, 20), ({"healthy": 9}, 30)],
     [(28, []), (35, ["QueueLong"]), (60, [])]),
    ("the KV cache is full, and sequences are preempted", 1,
     [({"healthy": 1, "kv_free": 1}, 20), ({"healthy": 1, "kv_full": 5}, 20), ({"healthy": 1, "kv_free": 1}, 30)],
     [(19, []), (24, []), (30, ["KvCacheFull"]), (42, [])]),
    ("the KV cache is full, and nothing is preempted", 1,
     [({"healthy": 1, "kv_free": 1}, 20), ({"healthy": 1, "kv_full": 0}, 30)], [(45, [])]),
    ("three notes in a hundred have no usable output", 1,
     [({"healthy": 2}, 60), ({"healthy": 5, "unusable": 1}, 60), ({"healthy": 9}, 120)],
     [(59, []), (115, ["OutputUnusable"]), (235, [])]),
    ("twice as many empty records as usual", 30,
     [({"healthy": 70, "empty": 7}, 8 * 1440), ({"healthy": 5, "empty": 5}, 360), ({"healthy": 70}, 720)],
     [(8 * 1440 - 30, []), (8 * 1440 + 330, ["EmptyRecordsUnusual"]), (8 * 1440 + 1050, [])]),
    ("twice as many, in the first days of a Prometheus", 30,
     [({"healthy": 5, "empty": 1}, 1440), ({"healthy": 5, "empty": 5}, 360)], [(1770, [])]),
    ("twice as many, of few", 30,
     [({"healthy": 70, "empty": 7}, 8 * 1440), ({"healthy": 1, "empty": 2}, 360)], [(8 * 1440 + 330, [])]),
    ("a handful, where there were hardly any", 30,
     [({"healthy": 70, "empty": 1}, 8 * 1440), ({"healthy": 5, "empty": 0.5}, 360)], [(8 * 1440 + 330, [])]),
    ("twice as many unsupported values as usual", 30,
     [({"healthy": 70, "unsupported": 7}, 8 * 1440), ({"healthy": 5, "unsupported": 5}, 360), ({"healthy": 70}, 720)],
     [(8 * 1440 - 30, []), (8 * 1440 + 330, ["UnsupportedValuesUnusual"]), (8 * 1440 + 1050, [])]),
    ("the gateway does not answer", 1,
     [({"healthy": 1}, 20), ({}, 10, {'up{job="gateway",instance="gateway:8080"}': 0}), ({"healthy": 1}, 20)],
     [(19, []), (24, ["GatewayDown"]), (35, [])]),
    ("Prometheus knows no gateway", 1, [({}, 10)], [(1, []), (5, ["GatewayDown"])]),
    ("a disk fills", 1,
     [({"healthy": 1}, 20, {DISK % "avail": 20, DISK % "size": 100}), ({"healthy": 1}, 20, {DISK % "avail": 14, DISK % "size": 100}),
      ({"healthy": 1}, 20, {DISK % "avail": 20, DISK % "size": 100})],
     [(19, []), (28, []), (35, ["DiskAlmostFull"]), (41, [])]),
    ("a certificate ends", 1,
     [({"healthy": 1}, 20, {CERTIFICATE: 15 * DAY}), ({"healthy": 1}, 20, {CERTIFICATE: 13 * DAY}), ({"healthy": 1}, 20, {CERTIFICATE: 90 * DAY})],
     [(19, []), (35, ["CertificateExpiring"]), (41, [])]),
    ("a GPU is hot, and another time reports an error", 1,
     [({"healthy": 1}, 20, {"DCGM_FI_DEV_XID_ERRORS" + GPU: 0, "DCGM_FI_DEV_GPU_TEMP" + GPU: 70}),
      ({"healthy": 1}, 20, {"DCGM_FI_DEV_XID_ERRORS" + GPU: 0, "DCGM_FI_DEV_GPU_TEMP" + GPU: 90}),
      ({"healthy": 1}, 20, {"DCGM_FI_DEV_XID_ERRORS" + GPU: 0, "DCGM_FI_DEV_GPU_TEMP" + GPU: 70}),
      ({"healthy": 1}, 20, {"DCGM_FI_DEV_XID_ERRORS" + GPU: 79, "DCGM_FI_DEV_GPU_TEMP" + GPU: 70})],
     [(19, []), (35, ["GpuFault"]), (55, []), (75, ["GpuFault"])]),
]


def labelled(series):
    name, _, labels = series.partition("{")
    own = ",".join(f'{key}="{value}"' for key, value in OWN.items())
    return f"{name}{{{labels[:-1] + ',' if labels else ''}{own}}}"


def played(recorded, interval, steps):
    """The series of a scenario, in promtool's notation."""
    gateway = any(step[0] for step in steps)
    names = {series for phase, *_ in steps for name in phase for kind in ("gained", "held") for series in recorded[name][kind]}
    if gateway:
        # What exists from the start, though nothing of it happens here.
        names |= {series for series in recorded["series"] if series.startswith(("gateway_audit", "gateway_degraded", "gateway_queue_refused"))}
    if interval > 1:
        # Days of a histogram would take promtool minutes, and the rules about days do not ask for it.
        names = {series for series in names if "stage_seconds" not in series}
    values = {}
    for series in names:
        counts = re.search(r"_(total|bucket|count)(\{|$)", series)
        total, parts = 0.0, []
        for phases, minutes, *_ in steps:
            samples = minutes // interval
            if not phases:
                parts.append(f"_x{samples}")
            elif counts:
                gain = sum(recorded[name]["gained"].get(series, 0.0) * times for name, times in phases.items()) / samples
                parts.append(f"{total + gain:.9g}+{gain:.9g}x{samples - 1}")
                total += gain * samples
            else:
                held = recorded[list(phases)[-1]]["held"].get(series)
                parts.append(f"_x{samples}" if held is None else f"{held:.9g}x{samples - 1}")
        values[labelled(series)] = " ".join(parts)
    foreign = {series for step in steps for series in (step[2] if len(step) > 2 else {})}
    up = labelled("up")
    for series in foreign | ({up} if gateway else set()):
        written = [step[2].get(series) if len(step) > 2 else None for step in steps]
        written = [1 if value is None and series.startswith("up{") and step[0] else value for value, step in zip(written, steps)]
        parts = [f"_x{step[1] // interval}" if value is None else f"{value}x{step[1] // interval - 1}" for value, step in zip(written, steps)]
        values[series] = " ".join(parts)
    return values


def tests(recorded, alerts):
    """The scenarios, with what they say of these alerts."""
    for name, interval, steps, checks in SCENARIOS:
        series = [{"series": series, "values": values} for series, values in sorted(played(recorded, interval, steps).items())]
        queries = [
            {
                "expr": 'sum by (alertname) (ALERTS{alertstate="firing"}) > bool 0',
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(alerts & set(firing))],
            }
            for minute, firing in checks
        ]
        yield {"name": name, "interval": f"{interval}m", "input_series": series, "promql_expr_test": queries}


def verdict(rules, folder, recorded, alerts):
    """promtool's exit code and what it says of these alerts. Scenarios of days are evaluated less often."""
    grouped = {}
    for test in tests(recorded, alerts):
        grouped.setdefault(test["interval"], []).append(test)
    for interval, group in grouped.items():
        file = pathlib.Path(folder, f"tests-{interval}.yaml")
        document = {"rule_files": [str(pathlib.Path(rules).resolve())], "evaluation_interval": interval, "tests": group}
        file.write_text(json.dumps(document))  # JSON is YAML
        done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True)
        if done.returncode:
            return done.returncode, done.stdout + done.stderr
    return 0, ""


# What somebody may break, and must notice: no mutant of the rules passes.
MUTANTS = [
    (r"gateway_notes_total\{code=\"ok\",", 'gateway_note_total{code="ok",'),
    (r"> 0\.144", "< 0.144"),
    (r"> 0\.06\b", "> 0.6"),
    (r"\[30m\]", "[6h]"),
    (r'state="ready"\}\) == 0', 'state="ready"}) == 2'),
    (r"\nand sum by \(job, instance\) \(gateway_upstream_replicas\{state=\"loading\"\}\) == 0", ""),
    (r'state="loading"\}\) == 1', 'state="loading"}) == 0'),
    (r"for: 12m", "for: 40m"),
    (r"gateway_audit_failing\) == 1", "gateway_audit_failing) == 2"),
    (r"lost_total\[10m\]\)\) > 0", "lost_total[10m])) > 1000"),
    (r"gateway_degraded_total", "gateway_degraded"),
    (r"> 20\b", "> 200"),
    (r'stage="engine"\}\[10m\]\)\) >= 20', 'stage="engine"}[10m])) >= 0'),
    (r"> 256", "> 2560"),
    (r"gateway_queue_refused_total\[10m\]\)\) > 0", "gateway_queue_refused_total[10m])) > 1000"),
    (r"> 0\.95", "> 0.99"),
    (r"and sum by \(job, instance, replica\)[^\n]*", ""),
    (r"output_unusable\|output_truncated\"\}\[1h\]", 'output_truncated"}[1h]'),
    (r"offset 6h\)\) >= 1000", "offset 6h)) >= 0"),
    (r"\[6h\]\)\) >= 200\b", "[6h])) >= 0"),
    (r"\[6h\]\)\) >= 20\b", "[6h])) >= 0"),
    (r"> 2 \*", "> 99 *"),
    (r"kind=\"unsupported\"", 'kind="stated"'),
    (r"< 0\.15", "< 0.05"),
    (r"< 14 \* 86400", "< 1 * 86400"),
    (r"gateway_extractions_running\[1h\]\)\) == 0", "gateway_extractions_running[1h])) == 1"),
    (r"> 3600", "> 36000"),
    (r"DCGM_FI_DEV_XID_ERRORS\) > 0", "DCGM_FI_DEV_XID_ERRORS) > 100"),
    (r"> 85", "> 95"),
    (r"up\{job=\"gateway\"\} == 0", 'up{job="gateway"} == 2'),
    (r"absent\(up\{job=\"gateway\"\}\)", 'absent(up{job="gateway"}) == 2'),
]


def main(rules, folder, path=HERE / "recorded.json"):
    recorded = json.loads(pathlib.Path(path).read_text())
    written = pathlib.Path(rules).read_text()
    code, said = verdict(rules, folder, recorded, set(re.findall(r"- alert: (\w+)", written)))
    if code:
        sys.exit(said)
    alerts, fired = set(re.findall(r"- alert: (\w+)", written)), {alert for _, _, _, checks in SCENARIOS for _, firing in checks for alert in firing}
    if alerts != fired:
        sys.exit(f"alerts without a scenario in which they fire: {alerts - fired}, unknown ones: {fired - alerts}")
    head, *blocks = re.split(r"(?m)^(?=      - alert: )", written)
    for pattern, replacement in MUTANTS:
        changed = [re.sub(pattern.replace(r"\n", r"\n\s*"), replacement, block) for block in blocks]
        changed = [new for old, new in zip(blocks, changed) if old != new]
        if not changed:
            sys.exit(f"the mutant {pattern} changes nothing")
        # The changed rules alone: promtool takes long for all.
        mutant = pathlib.Path(folder, "mutant.yaml")
        mutant.write_text(head + "".join(changed))
        if verdict(mutant, folder, recorded, set(re.findall(r"- alert: (\w+)", mutant.read_text())))[0] == 0:
            sys.exit(f"no test notices that {pattern} became {replacement!r}")
    checks = sum(len(checks) for *_, checks in SCENARIOS)
    print(f"{len(alerts)} rules, {len(SCENARIOS)} scenarios, {checks} moments; {len(MUTANTS)} mutants noticed")


if __name__ == "__main__":
    main(*sys.argv[1:])
