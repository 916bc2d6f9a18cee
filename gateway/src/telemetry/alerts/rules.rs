//! The table of the alert rules. Each of their metrics and labels exists in this process or is in the list of foreign
//! metrics in `gateway/docs/monitoring.md`, as a test checks.

use super::{
    Thresholds,
    expressions::{earlier_increase, increase, number, share},
    times::Pace,
};

/// Notes that the service failed: the errors with a status of 5xx, except the planned end of a process.
const FAILED: &str = r#"gateway_notes_total{code=~"internal|upstream_rejected|upstream_failed|output_unusable|output_truncated|upstream_unavailable|model_loading|overloaded|deadline_exceeded"}"#;
/// Failed and read notes: the denominator of the share of notes that failed.
const JUDGED: &str = r#"gateway_notes_total{code=~"ok|internal|upstream_rejected|upstream_failed|output_unusable|output_truncated|upstream_unavailable|model_loading|overloaded|deadline_exceeded"}"#;
/// Notes that were read for a record: questions, recordings and scans have none that could be empty.
const READ: &str =
    r#"gateway_notes_total{code="ok",route!~"/api/v1/ask|/api/v1/ask/stream|/api/v1/transcribe|/api/v1/scan"}"#;
const UNUSABLE: &str = r#"gateway_notes_total{code=~"output_unusable|output_truncated"}"#;
const EMPTY: &str = r#"gateway_empty_records_total{outcome=~"answered|doubted"}"#;
const UNSUPPORTED: &str = r#"gateway_values_total{kind="unsupported"}"#;
const VALUES: &str = "gateway_values_total";
const DISKS: &str = r#"{fstype=~"ext4|xfs|btrfs"}"#;

/// How urgent an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Now: notes fail, or their audit is lost.
    Page,
    /// On the next working day.
    Ticket,
}

impl Severity {
    /// Returns the value of the label `severity`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Ticket => "ticket",
        }
    }
}

/// An alert rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name, which the chapter on monitoring explains.
    pub name: &'static str,
    /// How urgent it is.
    pub severity: Severity,
    /// The condition, as `PromQL`.
    pub expr: String,
    /// How long the condition must hold, as Prometheus writes times; `None`: it fires at once.
    pub wait: Option<String>,
    /// One sentence for the message, a template of Prometheus.
    pub summary: String,
}

/// Returns the rules.
#[must_use]
pub fn rules(limits: &Thresholds, pace: Pace) -> Vec<Rule> {
    let mut rules = failures(limits, pace);
    rules.extend(load(limits, pace));
    rules.extend(quality(limits, pace));
    rules.extend(machine(limits, pace));
    rules
}

/// Returns a rule whose condition must hold for some minutes.
fn rule(name: &'static str, severity: Severity, wait: String, expr: String, summary: &str) -> Rule {
    Rule { name, severity, expr, wait: Some(wait), summary: summary.to_owned() }
}

/// Returns the condition that notes fail at a multiple of the budget, in a long window and still in a short one.
fn burn(limits: &Thresholds, pace: Pace, burn: f64, [long, short]: [u32; 2]) -> String {
    let limit = number(limits.error_budget * burn);
    let (long, short) = (pace.minutes(long), pace.minutes(short));
    format!(
        "{} > {limit}\nand {} > {limit}\nand {} >= {}",
        share(FAILED, JUDGED, &long),
        share(FAILED, JUDGED, &short),
        increase(JUDGED, &long),
        limits.least_notes
    )
}

/// The rules about notes that fail, and about causes that make all of them fail.
fn failures(limits: &Thresholds, pace: Pace) -> Vec<Rule> {
    use Severity::{Page, Ticket};
    vec![
        rule(
            "GatewayDown",
            Page,
            pace.minutes(2),
            "up{job=\"gateway\"} == 0\nor absent(up{job=\"gateway\"})".to_owned(),
            "The gateway does not answer Prometheus.",
        ),
        rule(
            "NotesFailingFast",
            Page,
            pace.minutes(3),
            burn(limits, pace, limits.fast_burn, [60, 5]),
            "{{ $value | humanizePercentage }} of the notes of the last hour failed on {{ $labels.instance }}.",
        ),
        rule(
            "NotesFailingSlow",
            Ticket,
            pace.minutes(15),
            burn(limits, pace, limits.slow_burn, [360, 30]),
            "{{ $value | humanizePercentage }} of the notes of the last 6 hours failed on {{ $labels.instance }}.",
        ),
        rule(
            "NoModelServerReady",
            Page,
            pace.minutes(limits.no_server_minutes),
            "sum by (job, instance) (gateway_upstream_replicas{state=\"ready\"}) == 0\n\
             and sum by (job, instance) (gateway_upstream_replicas{state=\"loading\"}) == 0"
                .to_owned(),
            "No model server of {{ $labels.instance }} is ready, and none is loading.",
        ),
        rule(
            "ModelLoadingTooLong",
            Page,
            pace.minutes(limits.loading_minutes),
            "max by (job, instance, replica) (gateway_upstream_replicas{state=\"loading\"}) == 1".to_owned(),
            "{{ $labels.replica }} of {{ $labels.instance }} still loads its model.",
        ),
        rule(
            "AuditFailing",
            Page,
            pace.minutes(1),
            format!(
                "max by (job, instance) (gateway_audit_failing) == 1\nor {} > 0",
                increase("gateway_audit_lines_lost_total", &pace.minutes(10))
            ),
            "{{ $labels.instance }} cannot write its audit: the records of which client read which note are being \
             lost.",
        ),
        rule(
            "Degraded",
            Ticket,
            pace.minutes(1),
            format!("{} > 0", increase("gateway_degraded_total", &pace.minutes(10))),
            "The rules answer in place of the model on {{ $labels.instance }}.",
        ),
    ]
}

/// The rules about load.
fn load(limits: &Thresholds, pace: Pace) -> Vec<Rule> {
    use Severity::Ticket;
    let window = pace.minutes(10);
    vec![
        rule(
            "EngineSlow",
            Ticket,
            pace.minutes(5),
            format!(
                "histogram_quantile(0.95, sum by (job, instance, le) (rate(gateway_stage_seconds_bucket{{stage=\"engine\"}}[{window}]))) > {}\n\
                 and {} >= {}",
                number(limits.engine_seconds),
                increase("gateway_stage_seconds_count{stage=\"engine\"}", &window),
                limits.least_notes
            ),
            "One note in twenty takes the engine of {{ $labels.instance }} over {{ $value | humanizeDuration }}.",
        ),
        rule(
            "QueueLong",
            Ticket,
            pace.minutes(2),
            format!(
                "max by (job, instance) (min_over_time(gateway_queue_depth[{window}])) > {}\nor {} > 0",
                limits.queue_calls,
                increase("gateway_queue_refused_total", &window)
            ),
            "Calls to the model wait long or are refused on {{ $labels.instance }}.",
        ),
        rule(
            "KvCacheFull",
            Ticket,
            pace.minutes(5),
            format!(
                "max by (job, instance, replica) (gateway_vllm_kv_cache_usage) > {}\n\
                 and sum by (job, instance, replica) (increase(gateway_vllm_preemptions_total[{window}])) > 0",
                number(limits.kv_cache)
            ),
            "The KV cache of {{ $labels.replica }} is full, and sequences are preempted and computed again.",
        ),
    ]
}

/// The rules about the results of the notes.
fn quality(limits: &Thresholds, pace: Pace) -> Vec<Rule> {
    use Severity::Ticket;
    let hour = pace.minutes(60);
    let drift = |part: &str, whole: &str| {
        let (window, week) = (pace.minutes(360), pace.minutes(10_080));
        let usual = |selector: &str| earlier_increase(selector, &week, &window);
        format!(
            "{} > {} * {} / {}\nand {} >= {}\nand {} >= {}\nand {} >= {}",
            share(part, whole, &window),
            number(limits.drift_factor),
            usual(part),
            usual(whole),
            increase(whole, &window),
            limits.drift_least,
            usual(whole),
            limits.drift_usual_least,
            increase(part, &window),
            limits.least_notes,
        )
    };
    vec![
        rule(
            "OutputUnusable",
            Ticket,
            pace.minutes(5),
            format!(
                "{} > {}\nand {} >= {}",
                share(UNUSABLE, JUDGED, &hour),
                number(limits.unusable),
                increase(JUDGED, &hour),
                limits.least_notes
            ),
            "{{ $value | humanizePercentage }} of the notes got no usable output of the model on {{ $labels.instance }}.",
        ),
        rule(
            "EmptyRecordsUnusual",
            Ticket,
            pace.minutes(15),
            drift(EMPTY, READ),
            "{{ $value | humanizePercentage }} of the records are empty on {{ $labels.instance }}, far more than last week.",
        ),
        rule(
            "UnsupportedValuesUnusual",
            Ticket,
            pace.minutes(15),
            drift(UNSUPPORTED, VALUES),
            "{{ $value | humanizePercentage }} of the values have no support in their notes on {{ $labels.instance }}, far more than last week.",
        ),
    ]
}

/// The rules about the box: disk, certificate, cost, GPU.
fn machine(limits: &Thresholds, pace: Pace) -> Vec<Rule> {
    use Severity::Ticket;
    let idle = pace.minutes(limits.idle_minutes);
    vec![
        rule(
            "DiskAlmostFull",
            Ticket,
            pace.minutes(10),
            format!(
                "min by (instance, mountpoint) (node_filesystem_avail_bytes{DISKS} / node_filesystem_size_bytes{DISKS}) < {}",
                number(limits.disk_free)
            ),
            "{{ $value | humanizePercentage }} of {{ $labels.mountpoint }} is free.",
        ),
        rule(
            "CertificateExpiring",
            Ticket,
            pace.minutes(10),
            format!(
                "min by (instance) (probe_ssl_earliest_cert_expiry - time()) < {} * 86400",
                limits.certificate_days
            ),
            "The certificate of {{ $labels.instance }} expires in {{ $value | humanizeDuration }}.",
        ),
        rule(
            "IdleBox",
            Ticket,
            pace.minutes(5),
            format!(
                "{} == 0\n\
                 and max by (job, instance) (max_over_time(gateway_extractions_running[{idle}])) == 0\n\
                 and max by (job, instance) (time() - process_start_time_seconds) > {}\n\
                 and max by (job, instance) (gateway_build_info{{engine=\"vllm\"}}) == 1",
                increase("gateway_notes_total", &idle),
                pace.length(limits.idle_minutes)
            ),
            "The box of {{ $labels.instance }} runs, costs money, and reads no notes.",
        ),
        rule(
            "GpuFault",
            Ticket,
            pace.minutes(2),
            format!(
                "max by (instance) (DCGM_FI_DEV_XID_ERRORS) > 0\nor max by (instance) (DCGM_FI_DEV_GPU_TEMP) > {}",
                limits.gpu_celsius
            ),
            "A GPU of {{ $labels.instance }} reports an error or is too hot: {{ $value }}.",
        ),
    ]
}
