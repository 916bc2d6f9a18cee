"""config/alarms.yaml, the alarms of CloudWatch, and config/otel-collector.yaml, which feeds them. Here they are read."""

import re

import pytest
import stack
import yaml


class Loader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as what they are called with."""


Loader.add_multi_constructor("!", lambda loader, _, node: loader.construct_scalar(node))

TEMPLATE = yaml.load(stack.text("config/alarms.yaml"), Loader)
RESOURCES = TEMPLATE["Resources"]
RULES = {rule["alert"]: rule for group in yaml.safe_load(stack.text("config/alerts.yaml"))["groups"] for rule in group["rules"]}
PROMQL = {
    name: resource["Properties"]
    for name, resource in RESOURCES.items()
    if "EvaluationCriteria" in resource.get("Properties", {})
}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# CloudWatch has windows of a day at most, and no buckets of histograms.
LEFT_OUT = {"EngineSlow", "EmptyRecordsUnusual", "UnsupportedValuesUnusual"}


def query(alarm):
    return alarm["EvaluationCriteria"]["PromQLCriteria"]["Query"]


def test_each_rule_but_three_is_an_alarm():
    assert set(PROMQL) - {"NoSamples"} == set(RULES) - LEFT_OUT
    for name in LEFT_OUT:
        assert "_bucket{" in RULES[name]["expr"] or "[7d]" in RULES[name]["expr"]
        assert f"# {name} is not here: " in stack.text("config/alarms.yaml")


@pytest.mark.parametrize("name", sorted(set(RULES) - LEFT_OUT))
def test_an_alarm_is_its_rule(name):
    rule, alarm = RULES[name], PROMQL[name]
    criteria = alarm["EvaluationCriteria"]["PromQLCriteria"]
    assert criteria["Query"] == rule["expr"]
    wait = rule.get("for", "0s")
    assert criteria["PendingPeriod"] == int(wait[:-1]) * SECONDS[wait[-1]]
    topic = {"page": "Pages", "ticket": "Tickets"}[rule["labels"]["severity"]]
    assert alarm["AlarmActions"] == [topic] and alarm["OKActions"] == [topic]
    assert alarm["AlarmDescription"].endswith(rule["annotations"]["runbook"])
    # What CloudWatch's documentation allows.
    assert len(query(alarm)) <= 10_000
    windows = [int(number) * SECONDS[unit] for number, unit in re.findall(r"\[(\d+)([smhd])\]", query(alarm))]
    assert max(windows, default=0) <= 86_400 and "_bucket" not in query(alarm)


def test_what_is_watched_from_outside_needs_nothing_on_the_box():
    silent = RESOURCES["BoxSilent"]["Properties"]
    assert silent["AlarmRule"] == 'ALARM("${BoxRuns}") AND ALARM("${NoSamples}")' and silent["AlarmActions"] == ["Pages"]
    assert PROMQL["NoSamples"]["EvaluationCriteria"]["PromQLCriteria"]["PendingPeriod"] == 600
    for name, metric in [("BoxFailing", "StatusCheckFailed"), ("BoxRunsOn", "CPUUtilization"), ("BoxRuns", "CPUUtilization")]:
        alarm = RESOURCES[name]["Properties"]
        assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/EC2", metric)
        assert alarm["TreatMissingData"] == "notBreaching"
    # The two facts tell nobody: a box that runs is no fault, and neither is a stopped box without samples.
    assert not {"AlarmActions", "OKActions"} & (set(RESOURCES["BoxRuns"]["Properties"]) | set(PROMQL["NoSamples"]))


def test_every_alarm_is_told_to_a_topic_with_a_mail():
    for name in ["Pages", "Tickets"]:
        assert RESOURCES[name]["Properties"]["Subscription"][0]["Protocol"] == "email"
    told = {target for resource in RESOURCES.values() for target in resource["Properties"].get("AlarmActions", [])}
    assert told == {"Pages", "Tickets"}


COLLECTOR = yaml.safe_load(stack.text("config/otel-collector.yaml"))


def test_the_collector_s_pipeline_names_what_is_configured():
    pipeline = COLLECTOR["service"]["pipelines"]["metrics"]
    for kind in ["receivers", "processors", "exporters"]:
        assert set(pipeline[kind]) == set(COLLECTOR[kind])
    assert COLLECTOR["service"]["extensions"] == list(COLLECTOR["extensions"])
    exporter = COLLECTOR["exporters"]["otlphttp"]
    assert exporter["metrics_endpoint"] == "https://monitoring.${env:AWS_REGION}.amazonaws.com/v1/metrics"
    assert exporter["auth"]["authenticator"] in COLLECTOR["extensions"]
    assert COLLECTOR["extensions"]["sigv4auth"]["service"] == "monitoring"


def test_the_collector_sends_every_metric_of_an_alarm_under_the_labels_that_it_asks_for():
    (condition,) = COLLECTOR["processors"]["filter"]["metrics"]["metric"]
    sent = re.compile(re.search(r'"(.*)"', condition)[1])
    alarms = set(PROMQL) - {"CertificateExpiring"}
    names = {name for alarm in alarms for name in re.findall(r"\b(?:up|gateway_\w+|process_\w+|node_\w+|DCGM_\w+)\b", query(PROMQL[alarm]))}
    assert len(names) > 10 and all(sent.match(name) for name in names)
    # Its own alarm is silent without a probe: there is none on the host.
    assert not sent.match("probe_ssl_earliest_cert_expiry")
    jobs = {job["job_name"] for job in COLLECTOR["receivers"]["prometheus"]["config"]["scrape_configs"]}
    prometheus = {job["job_name"] for job in yaml.safe_load(stack.text("config/prometheus.yml"))["scrape_configs"]}
    assert jobs < prometheus
    statements = COLLECTOR["processors"]["transform"]["metric_statements"][0]["statements"]
    assert [re.search(r'attributes\["(\w+)"\],', line)[1] for line in statements] == ["job", "instance"]
