//! The default value of every setting.

use std::{net::SocketAddr, time::Duration};

use bytesize::ByteSize;

use super::{
    AdmissionSettings, AskSettings, AuditSettings, CacheSettings, ChunkSettings, CodesSettings, Cors, EngineChoice,
    Fallback, Generation, JobSettings, Limits, MetricsSettings, PromptChoice, RateSettings, RoutingSettings,
    ScanSettings, Settings, SpoolSettings, Stickiness, Transcribe, UsageSettings, Vllm,
};

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            engine: EngineChoice::Auto,
            fallback: Fallback::Off,
            auth: None,
            auth_keys_file: None,
            vllm: Vllm::default(),
            routing: RoutingSettings::default(),
            limits: Limits::default(),
            generation: Generation::default(),
            chunk: ChunkSettings::default(),
            codes: CodesSettings::default(),
            cross_check: false,
            admission: AdmissionSettings::default(),
            cors: Cors::default(),
            rate: RateSettings::default(),
            trusted_proxies: Vec::new(),
            allowed_hosts: Vec::new(),
            metrics: MetricsSettings::default(),
            audit: AuditSettings::default(),
            usage: UsageSettings::default(),
            cache: CacheSettings::default(),
            spool: SpoolSettings::default(),
            jobs: JobSettings::default(),
            ask: AskSettings::default(),
            transcribe: Transcribe::default(),
            scan: ScanSettings::default(),
        }
    }
}

impl Default for Vllm {
    fn default() -> Self {
        Self {
            url: None,
            api_key_file: None,
            model: "medical-ie".to_owned(),
            models: Vec::new(),
            prompt: PromptChoice::Training,
            stop_token_ids: vec![128_001, 128_009],
            trial_note: false,
            startup_minutes: 15,
        }
    }
}

impl Default for RoutingSettings {
    fn default() -> Self {
        Self { models: Vec::new(), sticky: Stickiness::Caller, shadow: None, shadow_percent: 5 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_note_chars: 100_000,
            body_bytes: ByteSize::mib(2),
            batch_notes: 1_000,
            batch_bytes: ByteSize::mib(64),
            batch_time: Duration::from_hours(1),
            memory: None,
            max_tokens: 8_192,
            max_temperature: 2.0,
        }
    }
}

impl Default for Generation {
    fn default() -> Self {
        Self { max_tokens: 1_024, temperature: 0.0 }
    }
}

impl Default for ChunkSettings {
    fn default() -> Self {
        Self { max_chars: 6_000 }
    }
}

impl Default for AdmissionSettings {
    fn default() -> Self {
        Self {
            in_flight: 32,
            queue: 512,
            tokens: None,
            deadline: Duration::from_secs(55),
            drain: Duration::from_secs(30),
        }
    }
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self { path: None, key_file: None, max_bytes: ByteSize::mib(64), keep: 5 }
    }
}

impl Default for SpoolSettings {
    fn default() -> Self {
        Self { folder: None, bytes: ByteSize::gib(1) }
    }
}

impl Default for JobSettings {
    fn default() -> Self {
        Self {
            folder: None,
            key_file: None,
            ttl: Duration::from_hours(24 * 7),
            per_key: 16,
            bytes: ByteSize::gib(1),
            result_bytes: ByteSize::gib(4),
            delete_on_fetch: false,
        }
    }
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { entries: 0, ttl: Duration::from_mins(10) }
    }
}

impl Default for ScanSettings {
    fn default() -> Self {
        Self {
            url: None,
            max_bytes: ByteSize::mib(10),
            timeout: Duration::from_secs(90),
            in_flight: 2,
            review_below: 0.8,
            heading_below: 0.9,
        }
    }
}

impl Default for Transcribe {
    fn default() -> Self {
        Self {
            url: None,
            api_key_file: None,
            model: "whisper-1".to_owned(),
            language: "en".to_owned(),
            max_bytes: ByteSize::mib(10),
            max_length: Duration::from_mins(10),
            timeout: Duration::from_secs(55),
            in_flight: 4,
            review_below: 0.7,
        }
    }
}
