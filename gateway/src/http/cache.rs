//! Answers that are given again for the same note: in memory only, bounded by number and by bytes, for a while.
//!
//! The key is an HMAC under a secret of this run, so that no note is kept for it. Only what a deterministic
//! engine says is kept, and only what it says whole: temperature 0, no lesser engine, no part unread, nothing doubted;
//! and never that a model found nothing.

use std::{fmt, sync::Arc};

use hmac::{Hmac, KeyInit, Mac};
use moka::sync::Cache;
use sha2::Sha256;

use super::request::ValidRequest;
use crate::{
    config::CacheSettings,
    extraction::{Answer, EngineName, StageTimings, WarningCode},
};

/// Bytes of memory that an answer to a usual note takes. One that takes more counts as several.
const USUAL: usize = 8 << 10;
/// Bytes of memory for each byte that an answer has as JSON.
const FOR_EACH_BYTE: usize = 2;

/// The response cache of this process.
pub struct ResponseCache {
    kept: Cache<Key, Arc<Answer>>,
    most: u64,
    secret: Hmac<Sha256>,
}

/// What tells two requests apart that may have different answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

impl ResponseCache {
    /// A cache, where one is set. It takes at most so many bytes, also where more answers would be kept.
    pub fn new(settings: &CacheSettings, most_bytes: usize) -> Result<Option<Self>, getrandom::Error> {
        if settings.entries == 0 {
            return Ok(None);
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let most = settings.entries.min((most_bytes / USUAL) as u64);
        let kept = Cache::builder().weigher(|_, answer: &Arc<Answer>| weight(answer)).max_capacity(most);
        let kept = kept.time_to_live(settings.ttl).build();
        Ok(Hmac::new_from_slice(&secret).ok().map(|secret| Self { kept, most, secret }))
    }

    /// The bytes that it may come to take.
    #[must_use]
    pub fn most_bytes(&self) -> usize {
        usize::try_from(self.most).unwrap_or(usize::MAX).saturating_mul(USUAL)
    }

    /// The key of a request; none where its answer may differ from one time to the next.
    pub(super) fn key(&self, request: &ValidRequest) -> Option<Key> {
        let options = &request.options;
        if options.temperature != 0.0 {
            return None;
        }
        let mut mac = self.secret.clone();
        // Engine, prompt and defaults are those of this process.
        let parameters = format!(
            "{:?}|{:?}|{:?}|{}|{}|",
            options.model, options.budget, options.offsets, options.confidence, options.allow_partial
        );
        mac.update(parameters.as_bytes());
        mac.update(request.note.as_str().as_bytes());
        Some(Key(mac.finalize().into_bytes().into()))
    }

    /// The answer that was kept, as the answer to this request.
    pub(super) fn get(&self, key: Key, request_id: &str) -> Option<(Answer, StageTimings)> {
        let answer = Answer { request_id: request_id.to_owned(), ..Answer::clone(&*self.kept.get(&key)?) };
        Some((answer, StageTimings::default()))
    }

    /// Keeps an answer, if it may be given again.
    pub(super) fn keep(&self, key: Key, answer: &Answer) {
        let says_nothing = answer.engine == EngineName::Vllm && answer.record.is_empty();
        let doubted = answer.warnings.iter().any(|warning| warning.code == WarningCode::EmptyRecordDoubted);
        if !(answer.degraded || answer.unread.is_some() || says_nothing || doubted) {
            self.kept.insert(key, Arc::new(answer.clone()));
        }
    }
}

/// As how many answers one counts.
fn weight(answer: &Answer) -> u32 {
    let bytes = answer.json_bytes().saturating_mul(FOR_EACH_BYTE);
    u32::try_from(bytes.div_ceil(USUAL)).unwrap_or(u32::MAX).max(1)
}

impl fmt::Debug for ResponseCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("kept", &self.kept.entry_count()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        config::{Generation, Limits},
        http::request::Rules,
    };

    fn checked(body: &str) -> ValidRequest {
        let models = vec![Arc::from("medical-ie"), Arc::from("other")];
        let rules = Rules { limits: Limits::default(), generation: Generation::default(), models };
        rules.check(body.as_bytes()).unwrap()
    }

    #[test]
    fn whatever_may_change_the_answer_changes_the_key() {
        let settings = CacheSettings { entries: 9, ttl: Duration::from_mins(1) };
        let answers = ResponseCache::new(&settings, 1 << 20).unwrap().unwrap();
        let key = |body: &str| answers.key(&checked(body));
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
        ] {
            let other = key(&format!("{{{other}}}"));
            assert!(other.is_some() && other != plain);
        }
        assert_eq!(key("{\"text\": \"A note.\", \"temperature\": 0.1}"), None);
        assert!(ResponseCache::new(&CacheSettings { entries: 0, ..settings }, 1 << 20).unwrap().is_none());
    }
}
