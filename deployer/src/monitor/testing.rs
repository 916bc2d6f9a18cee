//! A made-up scrape for tests.

use super::{exposition::Exposition, sample::GatewaySample};

/// Returns the exposition of a gateway that answered `ok` notes and failed `failed`. One record in ten is empty, and
/// one value in ten unsupported.
pub(super) fn scrape(ok: u32, failed: u32) -> String {
    let (empty, values, unsupported, all) = (ok / 10, ok * 2, ok / 5, ok + failed);
    let supported = values - unsupported;
    format!(
        "gateway_notes_total{{route=\"/api/v1/extract\",code=\"ok\"}} {ok}
gateway_notes_total{{route=\"/api/v1/extract\",code=\"deadline_exceeded\"}} {failed}
gateway_notes_total{{route=\"/api/v1/extract\",code=\"invalid_json\"}} 7
gateway_empty_records_total{{engine=\"rules\",outcome=\"answered\"}} {empty}
gateway_empty_records_total{{engine=\"rules\",outcome=\"refused\"}} 5
gateway_values_total{{field=\"stage\",kind=\"stated\"}} {supported}
gateway_values_total{{field=\"stage\",kind=\"unsupported\"}} {unsupported}
gateway_http_request_seconds_bucket{{route=\"/api/v1/extract\",le=\"0.5\"}} {ok}
gateway_http_request_seconds_bucket{{route=\"/api/v1/extract\",le=\"10.0\"}} {all}
gateway_http_request_seconds_bucket{{route=\"/api/v1/extract\",le=\"+Inf\"}} {all}
gateway_http_request_seconds_bucket{{route=\"/health\",le=\"+Inf\"}} 1000
gateway_stage_seconds_bucket{{stage=\"engine\",le=\"0.5\"}} {ok}
gateway_stage_seconds_bucket{{stage=\"engine\",le=\"+Inf\"}} {all}
gateway_stage_seconds_bucket{{stage=\"parse\",le=\"+Inf\"}} 1000
gateway_ready 1
gateway_not_ready{{reason=\"loading\"}} 0
gateway_extractions_running 35
gateway_upstream_in_flight 32
gateway_queue_depth 3
gateway_memory_held_bytes 50
gateway_memory_budget_bytes 100
gateway_upstream_replicas{{replica=\"b\",state=\"ready\"}} 0
gateway_upstream_replicas{{replica=\"b\",state=\"loading\"}} 1
gateway_upstream_replicas{{replica=\"a\",state=\"ready\"}} 1
gateway_vllm_kv_cache_usage{{replica=\"a\"}} 0.75
process_start_time_seconds 1000
"
    )
}

/// Returns the sample of [`scrape`].
pub(super) fn sample(ok: u32, failed: u32) -> GatewaySample {
    Exposition::parse(&scrape(ok, failed)).and_then(|scrape| GatewaySample::read(&scrape)).unwrap()
}
