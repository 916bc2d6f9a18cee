//! The slots for calls to the model servers.

use std::sync::Arc;

use crate::{
    admission::Admission,
    config::AdmissionSettings,
    readiness::{Readiness, TokenCapacity},
};

/// Returns the admission of calls to the model servers. Their tokens are limited as the settings state, otherwise to
/// the capacity that the servers report. They are not limited as long as one of the servers does not report it.
pub(super) fn of_model_calls(settings: &AdmissionSettings, readiness: &Readiness) -> Arc<Admission> {
    let capacity = match settings.tokens {
        None => readiness.token_capacity(),
        Some(tokens) => Arc::new(TokenCapacity::of(tokens)),
    };
    Admission::with_capacity(settings.in_flight, settings.queue, Some(capacity))
}
