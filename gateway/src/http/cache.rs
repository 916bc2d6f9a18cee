//! The response cache: returns the earlier answer to an identical request. It is in memory only, is bounded by number
//! and by bytes, and keeps answers for a limited time.
//!
//! The key is an HMAC under a secret of this process, so that the cache holds no text of notes as keys. It keeps only
//! deterministic and complete answers: temperature 0, not from the fallback engine, no part of the note unread, no
//! doubt about an empty record. It never keeps an empty record from a model.

use std::{fmt, sync::Arc};

use hmac::{Hmac, KeyInit, Mac};
use moka::sync::Cache;
use sha2::Sha256;

use super::request::ValidRequest;
use crate::{
    config::CacheSettings,
    extraction::{Answer, EngineName, ModelName, StageTimings, WarningCode},
};

/// Bytes of memory that the answer to a usual note occupies. A larger answer counts as several entries.
const ENTRY_BYTES: usize = 8 << 10;
/// Bytes of memory for each byte of an answer as JSON.
const MEMORY_PER_JSON_BYTE: usize = 2;

/// The response cache of this process.
pub struct ResponseCache {
    entries: Cache<Key, Arc<Answer>>,
    capacity: u64,
    secret: Hmac<Sha256>,
}

/// The cache key of a request. Requests that may have different answers have different keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

impl ResponseCache {
    /// Returns a cache, or none where `cache.entries` is 0. The cache occupies at most `most_bytes`, even if
    /// `cache.entries` allows more answers. Fails if the system has no random bytes for the secret.
    pub fn new(settings: &CacheSettings, most_bytes: usize) -> Result<Option<Self>, getrandom::Error> {
        if settings.entries == 0 {
            return Ok(None);
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let capacity = settings.entries.min((most_bytes / ENTRY_BYTES) as u64);
        let entries = Cache::builder().weigher(|_, answer: &Arc<Answer>| weight(answer)).max_capacity(capacity);
        let entries = entries.time_to_live(settings.ttl).build();
        Ok(Hmac::new_from_slice(&secret).ok().map(|secret| Self { entries, capacity, secret }))
    }

    /// Returns the most bytes that the cache can occupy.
    #[must_use]
    pub fn most_bytes(&self) -> usize {
        usize::try_from(self.capacity).unwrap_or(usize::MAX).saturating_mul(ENTRY_BYTES)
    }

    /// Returns the key of a request that a model reads. None where the answer may differ each time (temperature above 0).
    pub(super) fn key(&self, request: &ValidRequest, model: Option<&ModelName>) -> Option<Key> {
        let options = &request.options;
        if options.temperature != 0.0 {
            return None;
        }
        let mut mac = self.secret.clone();
        // Engine, prompt and defaults are the same for the whole process.
        let parameters = format!(
            "{:?}|{:?}|{:?}|{}|{}|{:?}|",
            model, options.budget, options.offsets, options.confidence, options.allow_partial, options.note_date
        );
        mac.update(parameters.as_bytes());
        mac.update(request.note.as_str().as_bytes());
        Some(Key(mac.finalize().into_bytes().into()))
    }

    /// Returns the cached answer with the id of this request.
    pub(super) fn get(&self, key: Key, request_id: &str) -> Option<(Answer, StageTimings)> {
        let answer = Answer { request_id: request_id.to_owned(), ..Answer::clone(&*self.entries.get(&key)?) };
        Some((answer, StageTimings::default()))
    }

    /// Keeps an answer, unless the rules of this module exclude it.
    pub(super) fn keep(&self, key: Key, answer: &Answer) {
        let is_empty = answer.engine == EngineName::Vllm && answer.record.is_empty();
        let doubted = answer.warnings.iter().any(|warning| warning.code == WarningCode::EmptyRecordDoubted);
        if !(answer.degraded || answer.unread.is_some() || is_empty || doubted) {
            self.entries.insert(key, Arc::new(answer.clone()));
        }
    }
}

/// Returns as how many entries an answer counts.
fn weight(answer: &Answer) -> u32 {
    let bytes = answer.json_bytes().saturating_mul(MEMORY_PER_JSON_BYTE);
    u32::try_from(bytes.div_ceil(ENTRY_BYTES)).unwrap_or(u32::MAX).max(1)
}

impl fmt::Debug for ResponseCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseCache").field("kept", &self.entries.entry_count()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        config::{Generation, Limits},
        http::request::RequestPolicy,
    };

    fn valid(body: &str) -> ValidRequest {
        let models = vec![Arc::from("medical-ie"), Arc::from("other")];
        let rules = RequestPolicy { limits: Limits::default(), generation: Generation::default(), models };
        rules.check(body.as_bytes()).unwrap()
    }

    #[test]
    fn every_option_that_may_change_the_answer_changes_the_key() {
        let settings = CacheSettings { entries: 9, ttl: Duration::from_mins(1) };
        let cache = ResponseCache::new(&settings, 1 << 20).unwrap().unwrap();
        let key = |body: &str| {
            let request = valid(body);
            cache.key(&request, request.options.model.as_ref())
        };
        let plain = key("{\"text\": \"A note.\"}");
        assert!(plain.is_some());
        assert_eq!(plain, key("{\"text\": \"A note.\", \"temperature\": 0, \"offsets\": \"codepoint\"}"));
        for other in [
            "\"text\": \"Another.\"",
            "\"text\": \"A note.\", \"model\": \"other\"",
            "\"text\": \"A note.\", \"max_tokens\": 1024",
            "\"text\": \"A note.\", \"offsets\": \"byte\"",
            "\"text\": \"A note.\", \"confidence\": true",
            "\"text\": \"A note.\", \"allow_partial\": true",
            "\"text\": \"A note.\", \"note_date\": \"2021-05-20\"",
        ] {
            let other = key(&format!("{{{other}}}"));
            assert!(other.is_some() && other != plain);
        }
        assert_eq!(key("{\"text\": \"A note.\", \"temperature\": 0.1}"), None);
        assert!(ResponseCache::new(&CacheSettings { entries: 0, ..settings }, 1 << 20).unwrap().is_none());
    }
}
