//! The values that the monitor reads from one scrape of the gateway: counters and the current state. Pure.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    exposition::{Exposition, Sample},
    histogram::Histogram,
    plain,
};

/// Codes of requests that failed through no fault of the client, as in the alert rules of `config/alerts.yaml`.
pub(super) const FAILED: [&str; 9] = [
    "internal",
    "upstream_rejected",
    "upstream_failed",
    "output_unusable",
    "output_truncated",
    "upstream_unavailable",
    "model_loading",
    "overloaded",
    "deadline_exceeded",
];

/// How the routes of questions begin. `gateway_notes_total` counts them too.
const QUESTIONS: &str = "/api/v1/ask";
/// The routes of recordings and scans, which make a text for a person to check and no record.
const UPLOADS: [&str; 2] = ["/api/v1/transcribe", "/api/v1/scan"];
/// Routes whose requests have one note.
const ONE_NOTE: [&str; 2] = ["/api/v1/extract", "/api/v1/extract/stream"];

/// The most model servers that are shown.
const MOST_SERVERS: usize = 32;

/// The values of one scrape.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewaySample {
    /// The counters.
    pub counters: Counters,
    /// The state of the moment.
    pub now: Moment,
}

/// Counters since the start of the gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct Counters {
    /// Notes that were read for a record.
    pub notes: Outcomes,
    /// Questions about a note.
    pub questions: Outcomes,
    /// Recordings and scans.
    pub uploads: Outcomes,
    /// Records without a value.
    pub empty: f64,
    /// Values in records.
    pub values: f64,
    /// Values that nothing in their note supports.
    pub unsupported: f64,
    /// Times of requests with one note.
    pub requests: Histogram,
    /// Times of the engine, of each note.
    pub engine: Histogram,
}

/// How requests of one kind ended. Those that failed through a fault of the client are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcomes {
    /// How many were answered.
    pub ok: f64,
    /// How many failed through no fault of the client.
    pub failed: f64,
}

/// The gateway's state at the moment of the scrape.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Moment {
    /// Whether notes can be read.
    pub ready: bool,
    /// Why not: `loading`, `unreachable`, `model_missing`, `draining`.
    pub reason: Option<String>,
    /// Notes in work, including waiting ones.
    pub running: f64,
    /// Calls to the model servers in flight.
    pub calls: f64,
    /// Calls that wait for a model server.
    pub queue: f64,
    /// The used share of the memory budget, from 0 to 1.
    pub memory_share: f64,
    /// The used share of the fullest KV cache, from 0 to 1; `null` if no model server reports it.
    pub kv_cache_share: Option<f64>,
    /// The model servers with their states; empty if the rules answer.
    pub model_servers: Vec<ModelServer>,
    /// When the gateway started, in seconds since 1970.
    pub started: f64,
}

/// One model server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ModelServer {
    /// Its name in the gateway.
    pub name: String,
    /// `ready`, `loading`, `model_missing`, `untrusted` or `unreachable`.
    pub state: String,
}

impl GatewaySample {
    /// Reads a scrape. Returns an error that names the first missing metric.
    pub fn read(scrape: &Exposition) -> Result<Self, String> {
        let outcomes = |of: fn(&str) -> bool| {
            let sum = |codes: &[&str]| {
                let counts = |sample: &Sample| codes.contains(&sample.label("code")) && of(sample.label("route"));
                // A sum of nothing is -0.
                scrape.sum_of("gateway_notes_total", counts).map(|sum| sum + 0.0)
            };
            Ok::<_, String>(Outcomes { ok: sum(&["ok"])?, failed: sum(&FAILED)? })
        };
        let is = |label: &'static str, wanted: &'static [&'static str]| {
            move |sample: &Sample| wanted.contains(&sample.label(label))
        };
        let counters = Counters {
            notes: outcomes(|route| !is_question(route) && !is_upload(route))?,
            questions: outcomes(is_question)?,
            uploads: outcomes(is_upload)?,
            empty: scrape.sum_of("gateway_empty_records_total", is("outcome", &["answered", "doubted"]))?,
            values: scrape.all("gateway_values_total")?,
            unsupported: scrape.sum_of("gateway_values_total", is("kind", &["unsupported"]))?,
            requests: Histogram::read(scrape, "gateway_http_request_seconds", is("route", &ONE_NOTE))?,
            engine: Histogram::read(scrape, "gateway_stage_seconds", is("stage", &["engine"]))?,
        };
        let at_one = |name: &'static str| scrape.series(name).filter(|sample| sample.value > 0.0);
        let (held, budget) = (scrape.all("gateway_memory_held_bytes")?, scrape.all("gateway_memory_budget_bytes")?);
        let server =
            |sample: &Sample| ModelServer { name: plain(sample.label("replica")), state: plain(sample.label("state")) };
        let mut model_servers: Vec<ModelServer> =
            at_one("gateway_upstream_replicas").take(MOST_SERVERS).map(server).collect();
        model_servers.sort_by(|one, other| one.name.cmp(&other.name));
        let caches = scrape.series("gateway_vllm_kv_cache_usage").map(|sample| sample.value);
        let now = Moment {
            ready: scrape.all("gateway_ready")? > 0.0,
            reason: at_one("gateway_not_ready").next().map(|sample| plain(sample.label("reason"))),
            running: scrape.all("gateway_extractions_running")?,
            calls: scrape.all("gateway_upstream_in_flight")?,
            queue: scrape.all("gateway_queue_depth")?,
            memory_share: if budget > 0.0 { held / budget } else { 0.0 },
            kv_cache_share: caches.reduce(f64::max),
            model_servers,
            started: scrape.all("process_start_time_seconds")?,
        };
        let of_requests = counters.outcomes().into_iter().flat_map(|outcomes| [outcomes.ok, outcomes.failed]);
        let mut numbers = of_requests.chain([counters.empty, counters.values, now.queue, now.started]);
        if numbers.any(|number| !number.is_finite() || number < 0.0) {
            return Err("/metrics has a value that is negative or not finite".to_owned());
        }
        Ok(Self { counters, now })
    }
}

fn is_question(route: &str) -> bool {
    route.starts_with(QUESTIONS)
}

fn is_upload(route: &str) -> bool {
    UPLOADS.contains(&route)
}

impl Outcomes {
    /// Returns how many were answered or failed.
    pub(super) fn all(self) -> f64 {
        self.ok + self.failed
    }

    fn since(self, earlier: Self) -> Self {
        Self { ok: self.ok - earlier.ok, failed: self.failed - earlier.failed }
    }
}

impl Counters {
    /// Returns the outcomes of all kinds of requests.
    pub(super) fn outcomes(&self) -> [Outcomes; 3] {
        [self.notes, self.questions, self.uploads]
    }

    /// Returns whether these counters may follow the earlier ones. They do not after a start of the gateway.
    fn follow(&self, earlier: &Self) -> bool {
        let outcomes = self.outcomes().into_iter().zip(earlier.outcomes());
        let follow = |(now, before): (Outcomes, Outcomes)| now.ok >= before.ok && now.failed >= before.failed;
        let pairs = [
            (self.empty, earlier.empty),
            (self.values, earlier.values),
            (self.requests.count(), earlier.requests.count()),
            (self.engine.count(), earlier.engine.count()),
        ];
        outcomes.into_iter().all(follow) && pairs.iter().all(|(now, before)| now >= before)
    }

    /// Returns what was counted since an earlier sample.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        Self {
            notes: self.notes.since(earlier.notes),
            questions: self.questions.since(earlier.questions),
            uploads: self.uploads.since(earlier.uploads),
            empty: self.empty - earlier.empty,
            values: self.values - earlier.values,
            unsupported: self.unsupported - earlier.unsupported,
            requests: self.requests.since(&earlier.requests),
            engine: self.engine.since(&earlier.engine),
        }
    }
}

impl GatewaySample {
    /// Returns whether this sample is of the same process as the earlier one, and later.
    pub(super) fn follows(&self, earlier: &Self) -> bool {
        (self.now.started - earlier.now.started).abs() < 1.0 && self.counters.follow(&earlier.counters)
    }
}

#[cfg(test)]
mod tests {
    use super::{FAILED, GatewaySample, Outcomes};
    use crate::monitor::{exposition::Exposition, testing::scrape};

    fn read(text: &str) -> Result<GatewaySample, String> {
        GatewaySample::read(&Exposition::parse(text).unwrap())
    }

    #[test]
    fn a_scrape_is_read() {
        let found = read(&scrape(90, 10)).unwrap();
        let counters = &found.counters;
        assert!(counters.uploads.ok.is_sign_positive() && counters.questions.all().is_sign_positive());
        assert_eq!((counters.notes, counters.empty), (Outcomes { ok: 90.0, failed: 10.0 }, 9.0));
        assert_eq!((counters.values, counters.unsupported), (180.0, 18.0));
        assert_eq!((counters.requests.count(), counters.engine.count()), (100.0, 100.0));
        assert_eq!((found.now.queue, found.now.calls, found.now.running), (3.0, 32.0, 35.0));
        assert_eq!((found.now.memory_share, found.now.kv_cache_share), (0.5, Some(0.75)));
        let servers: Vec<String> =
            found.now.model_servers.iter().map(|server| format!("{} {}", server.name, server.state)).collect();
        assert_eq!(servers, ["a ready", "b loading"]);
    }

    #[test]
    fn notes_questions_and_uploads_are_counted_apart() {
        let line = |route: &str, code: &str, count: u32| {
            format!("gateway_notes_total{{route=\"{route}\",code=\"{code}\"}} {count}\n")
        };
        let more = [
            line("/api/v1/extract/stream", "ok", 1),
            line("/api/v1/patient", "overloaded", 2),
            line("/api/v1/ask", "ok", 30),
            line("/api/v1/ask/stream", "ok", 4),
            line("/api/v1/ask", "upstream_failed", 5),
            line("/api/v1/ask", "invalid_request", 600),
            line("/api/v1/transcribe", "ok", 7),
            line("/api/v1/scan", "deadline_exceeded", 8),
            line("/api/v1/scan", "no_text", 900),
        ];
        let counters = read(&(scrape(90, 10) + &more.concat())).unwrap().counters;
        let expected = [(91.0, 12.0), (34.0, 5.0), (7.0, 8.0)];
        assert_eq!(counters.outcomes(), expected.map(|(ok, failed)| Outcomes { ok, failed }));
    }

    #[test]
    fn each_missing_metric_is_named() {
        let whole = scrape(1, 0);
        for name in [
            "gateway_notes_total",
            "gateway_empty_records_total",
            "gateway_values_total",
            "gateway_http_request_seconds_bucket",
            "gateway_stage_seconds_bucket",
            "gateway_memory_held_bytes",
            "gateway_memory_budget_bytes",
            "gateway_ready",
            "gateway_extractions_running",
            "gateway_upstream_in_flight",
            "gateway_queue_depth",
            "process_start_time_seconds",
        ] {
            let without: Vec<&str> = whole.lines().filter(|line| !line.starts_with(name)).collect();
            assert!(read(&without.join("\n")).unwrap_err().contains(name), "{name}");
        }
    }

    #[test]
    fn a_count_that_is_no_count_is_refused() {
        for wrong in ["NaN", "-1", "+Inf"] {
            let text = scrape(1, 0).replace("code=\"ok\"} 1", &format!("code=\"ok\"}} {wrong}"));
            assert!(read(&text).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_codes_are_those_of_the_alert_rules() {
        let rules = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/alerts.yaml"));
        assert!(rules.contains(&format!("code=~\"{}\"", FAILED.join("|"))));
        assert!(rules.contains("outcome=~\"answered|doubted\"") && rules.contains("kind=\"unsupported\""));
    }
}
