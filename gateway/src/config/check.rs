//! Checks the settings, each alone and in combination.

use std::{ops::RangeInclusive, time::Duration};

use bytesize::ByteSize;
use url::Url;

use super::{Auth, EngineChoice, Settings, SettingsError};

/// Shortest chunk of a note, in code points. A shorter one would be hardly longer than the context that is sent with
/// it.
const LEAST_CHUNK: usize = 1_000;
/// The most notes that a setting may allow in a batch with one JSON body, all of which are in memory.
pub const MOST_NOTES: usize = 100_000;
/// The upper bound is above the slots of any server, and low enough that sums cannot overflow.
const SLOTS: RangeInclusive<usize> = 1..=65_536;
const LONGEST_QUEUE: usize = 1_000_000;
/// A few short notes fit.
const LEAST_TOKENS: u64 = 1_024;
/// A day, in minutes: a model that takes longer is not going to load.
const LONGEST_STARTUP: u64 = 1_440;
/// In less time no note can be read, and no caller waits longer.
const DEADLINES: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(24);

/// A batch is not a permanent connection: after a week at most, its caller sends the remaining notes in a new batch.
const BATCH_TIMES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24 * 7);
/// Least memory budget, in bytes: enough for a few notes with their answers.
const LEAST_MEMORY: u64 = 16 << 20;

/// A file for each of the most systems that files may have.
const MOST_CODE_FILES: usize = 32;
/// The number is bounded because each rotation renames all kept files.
const MOST_AUDIT_FILES: usize = 1_000;
/// A cached answer that is older is likely to come from another model.
const CACHE_TIMES: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(24 * 30);

/// Results are not an archive: after three months at most they are deleted.
const JOB_TIMES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24 * 90);
/// Fewer tokens have no room for a quote; an answer with more is not short.
const ASK_TOKENS: RangeInclusive<u32> = 64..=4_096;
/// Each question is compared with all phrases.
const MOST_RED_FLAGS: usize = 1_000;
/// Each job that runs is a task, and its record is in memory.
const MOST_JOBS: usize = 1_000;

impl Settings {
    /// Returns an error for the first setting that cannot work. The error states what to write instead.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let found = [
            self.model_server(),
            self.access(),
            self.sizes(),
            self.admission(),
            self.audit_and_cache(),
            self.jobs(),
            self.questions(),
        ];
        let found = found.into_iter().chain([self.transcribe.fault(), self.scan.fault()]);
        if let Some(message) = found.flatten().next() {
            return Err(SettingsError::Contradiction(message));
        }
        Ok(self.routing.check(&self.vllm)?)
    }

    fn model_server(&self) -> Option<&'static str> {
        if self.engine == EngineChoice::Vllm && self.vllm.url.is_none() {
            return Some("engine is `vllm` but no URL is set: set VLLM_BASE_URL or --vllm-url, or choose `rules`");
        }
        let urls = self.vllm.url.iter().flat_map(|urls| urls.split(','));
        if let Some(fault) = urls.into_iter().find_map(|url| url_fault(url.trim())) {
            return Some(fault);
        }
        if self.vllm.model.trim().is_empty() || self.vllm.models.iter().any(|model| model.trim().is_empty()) {
            return Some("vllm.model is empty: name the model as the server lists it, such as medical-ie");
        }
        if self.vllm.startup_minutes > LONGEST_STARTUP {
            return Some("vllm.startup_minutes must be at most 1440, a day");
        }
        None
    }

    fn access(&self) -> Option<&'static str> {
        if self.auth == Some(Auth::Keys) && self.auth_keys_file.is_none() {
            return Some("auth is `keys` but no key file is set: set auth_keys_file (GATEWAY_AUTH_KEYS_FILE)");
        }
        if !self.listen.ip().is_loopback() && self.auth != Some(Auth::Off) && self.auth_keys_file.is_none() {
            return Some(
                "listening beyond loopback without keys lets any client that reaches the port call: set auth_keys_file \
                 (see `gateway hash-key`), or write auth = \"off\" (GATEWAY_AUTH=off) to confirm that this is \
                 intended, or listen on 127.0.0.1",
            );
        }
        if self.metrics.listen.is_some_and(|metrics| metrics == self.listen && metrics.port() != 0) {
            return Some(
                "metrics.listen is the address of listen: metrics need no key, so they need another address or port",
            );
        }
        if self.rate.per_key.is_some() && self.keys_file().is_none() {
            return Some("rate.per_key needs auth_keys_file: without keys the notes of each client cannot be counted");
        }
        if self.rate.per_address.is_some() && self.trusted_proxies.is_empty() {
            return Some(
                "rate.per_address needs trusted_proxies: behind a proxy that is not listed, all callers would share \
                 one address and its limit",
            );
        }
        None
    }

    fn sizes(&self) -> Option<&'static str> {
        if !(1..=8_192).contains(&self.limits.max_tokens) {
            return Some("limits.max_tokens must be 1 to 8192");
        }
        if !(0.0..=2.0).contains(&self.limits.max_temperature) {
            return Some("limits.max_temperature must be 0.0 to 2.0");
        }
        if !(1..=self.limits.max_tokens).contains(&self.generation.max_tokens) {
            return Some(
                "generation.max_tokens must be 1 to limits.max_tokens (8192 unless set): lower the one or raise the other",
            );
        }
        if !(0.0..=self.limits.max_temperature).contains(&self.generation.temperature) {
            return Some("generation.temperature must be 0.0 to limits.max_temperature (2.0 unless set)");
        }
        if self.chunk.max_chars < LEAST_CHUNK {
            return Some("chunk.max_chars must be at least 1000");
        }
        if self.limits.max_note_chars == 0 {
            return Some("limits.max_note_chars must be above zero");
        }
        if self.codes.files.len() > MOST_CODE_FILES {
            return Some("codes.files must name at most 32 files");
        }
        if self.limits.body_bytes < ByteSize::kib(1) {
            return Some("limits.body_bytes must be at least 1 KiB: no note would fit");
        }
        if !(1..=MOST_NOTES).contains(&self.limits.batch_notes) {
            return Some("limits.batch_notes must be 1 to 100000: send more as lines");
        }
        if self.limits.batch_bytes < self.limits.body_bytes {
            return Some("limits.batch_bytes must be at least limits.body_bytes: a batch of one note must fit");
        }
        if !BATCH_TIMES.contains(&self.limits.batch_time) {
            return Some("limits.batch_time must be 1s to 7 days: how long a batch may take notes");
        }
        let least = LEAST_MEMORY.max(self.limits.body_bytes.as_u64().saturating_mul(8));
        if self.limits.memory.is_some_and(|memory| memory.as_u64() < least) {
            return Some(
                "limits.memory must be at least 16 MiB and 8 times limits.body_bytes: a few notes must fit at once",
            );
        }
        None
    }

    fn admission(&self) -> Option<&'static str> {
        if !SLOTS.contains(&self.admission.in_flight) {
            return Some("admission.in_flight must be 1 to 65536: how many notes the model server reads at once");
        }
        if self.admission.queue > LONGEST_QUEUE {
            return Some("admission.queue must be at most 1000000");
        }
        if self.admission.tokens.is_some_and(|tokens| (1..LEAST_TOKENS).contains(&tokens)) {
            return Some(
                "admission.tokens must be 0, which means no limit, or at least 1024: how many tokens the model servers \
                 hold at once. If it is not set, the gateway asks the model servers",
            );
        }
        if !DEADLINES.contains(&self.admission.deadline) {
            return Some("admission.deadline must be above zero and at most 24h");
        }
        if self.admission.drain > *DEADLINES.end() {
            return Some("admission.drain must be at most 24h");
        }
        None
    }

    fn jobs(&self) -> Option<&'static str> {
        if self.jobs.folder.is_some() && self.jobs.key_file.is_none() {
            return Some(
                "jobs.folder needs jobs.key_file, a file with at least 32 random bytes: jobs are kept encrypted, such as \
                 by `head -c 48 /dev/urandom | base64 > jobs.key`",
            );
        }
        if !JOB_TIMES.contains(&self.jobs.ttl) {
            return Some("jobs.ttl must be 1s to 90 days: how long a job and its results are kept");
        }
        if !(1..=MOST_JOBS).contains(&self.jobs.per_key) {
            return Some("jobs.per_key must be 1 to 1000");
        }
        None
    }

    fn questions(&self) -> Option<&'static str> {
        let ask = &self.ask;
        if let Some(text) = ask.url.as_deref() {
            if url_fault(text.trim()).is_some() {
                return Some(
                    "ask.url is not a plain http or https URL: write it as http://127.0.0.1:8001, without /v1, query, \
                     user or password",
                );
            }
            if ask.model.trim().is_empty() {
                return Some("ask.url needs ask.model: name the instruct model as the server lists it");
            }
            if ask.model == self.vllm.model || self.vllm.models.contains(&ask.model) {
                return Some(
                    "ask.model is one of the models that read notes (vllm.model, vllm.models): these write seven fields \
                     and answer no questions, so name an instruct model",
                );
            }
        } else if !ask.model.is_empty() || ask.api_key_file.is_some() {
            return Some("ask.model and ask.api_key_file need ask.url: without it no model is asked");
        }
        if !DEADLINES.contains(&ask.timeout) {
            return Some("ask.timeout must be above zero and at most 24h");
        }
        if !ASK_TOKENS.contains(&ask.max_tokens) {
            return Some("ask.max_tokens must be 64 to 4096");
        }
        if !SLOTS.contains(&ask.in_flight) {
            return Some("ask.in_flight must be 1 to 65536: how many questions the model answers at once");
        }
        if ask.red_flags.len() > MOST_RED_FLAGS {
            return Some("ask.red_flags must have at most 1000 phrases");
        }
        None
    }

    fn audit_and_cache(&self) -> Option<&'static str> {
        if self.audit.path.is_some() && self.audit.max_bytes < ByteSize::kib(64) {
            return Some("audit.max_bytes must be at least 64 KiB");
        }
        if self.audit.keep > MOST_AUDIT_FILES {
            return Some("audit.keep must be at most 1000");
        }
        if self.usage.month_cost.is_some_and(|cost| !(cost.is_finite() && cost >= 0.0)) {
            return Some("usage.month_cost must be an amount of money, such as 712.50");
        }
        if self.cache.entries > 0 && !CACHE_TIMES.contains(&self.cache.ttl) {
            return Some("cache.ttl must be above zero and at most 30 days where cache.entries is above zero");
        }
        None
    }
}

fn url_fault(text: &str) -> Option<&'static str> {
    let Ok(url) = Url::parse(text) else {
        return Some("vllm.url is not an http or https URL: write it as http://127.0.0.1:8000");
    };
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Some("vllm.url is not an http or https URL: write it as http://127.0.0.1:8000");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Some("vllm.url has a query or a fragment: write it like http://127.0.0.1:8000");
    }
    if url.path().trim_end_matches('/').ends_with("/v1") {
        return Some("vllm.url ends in /v1: leave that out, the gateway adds the paths itself");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("vllm.url holds a user name or a password, which process lists and logs would show: leave it out");
    }
    None
}
