//! The settings of the operator: their defaults, sources and checks.

mod ask;
mod check;
mod defaults;
mod error;
mod file;
mod host_name;
mod listen_address;
mod load;
mod networks;
mod origin;
mod routing;
mod scan;
mod sections;
mod settings;
mod transcribe;
mod vllm;
mod words;

#[cfg(test)]
mod tests;

pub use self::{
    ask::AskSettings,
    check::MOST_NOTES,
    error::SettingsError,
    host_name::HostName,
    listen_address::{ListenAddressError, listen_address},
    load::{Flags, scheduler_variable},
    origin::OriginPattern,
    routing::{ModelWeight, RoutingFault, RoutingSettings, Stickiness},
    scan::ScanSettings,
    sections::{
        AdmissionSettings, AuditSettings, CacheSettings, ChunkSettings, CodesSettings, Cors, Generation, JobSettings,
        Limits, MetricsSettings, RateSettings, SpoolSettings, UsageSettings,
    },
    settings::{Auth, EngineChoice, Fallback, Settings},
    transcribe::Transcribe,
    vllm::{PromptChoice, Vllm},
};
