//! `GET /metrics`, and the labels that its series have from the start.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    AccessControl, Extractor, ServiceState, accept, access, ask,
    audit_record::{CALLER_VANISHED, PANICKED},
    error::ErrorCode,
    jobs, openapi,
    request_record::NO_ROUTE,
    usage,
};
use crate::{
    extraction::{EngineName, ModelName},
    telemetry::{Gauges, KnownLabels, MetricsFormat, Route},
};

/// The routes that read notes.
pub(super) const NOTE_ROUTES: [Route; 10] = [
    "/api/v1/extract",
    "/api/v1/extract/batch",
    "/api/v1/extract/lines",
    "/api/v1/extract/stream",
    "/api/v1/patient",
    ask::ROUTE,
    ask::stream::ROUTE,
    "/api/v1/transcribe",
    "/api/v1/scan",
    jobs::ROUTE,
];
/// The routes whose answer may be long, so that a caller may disconnect before its end.
const STREAMED: [Route; 6] = [
    "/api/v1/extract/batch",
    "/api/v1/extract/lines",
    "/api/v1/extract/stream",
    "/api/v1/patient",
    ask::stream::ROUTE,
    jobs::RESULTS,
];

/// Returns the metrics for Prometheus.
///
/// The format follows `Accept`: `OpenMetrics` 1.0.0 for a client that asks for `application/openmetrics-text`, as
/// Prometheus does, otherwise the text format of Prometheus, version 0.0.4.
///
/// If the service has keys, every request needs one; without keys, only callers on the same machine get an answer.
/// `metrics.listen` serves the metrics without a key.
#[utoipa::path(get, path = "/metrics", tag = "service", operation_id = "getMetrics",
    responses((status = 200, description = "Metrics",
        content((String = "text/plain"), (String = "application/openmetrics-text")))))]
pub(super) async fn metrics(
    State(extractor): State<Arc<Extractor>>,
    State(state): State<Arc<ServiceState>>,
    State(control): State<Arc<AccessControl>>,
    headers: HeaderMap,
) -> Response {
    let format = format_for(&headers);
    let replicas = state.readiness.report();
    let gauges = Gauges {
        admission: extractor.pipeline.admission().counts(),
        running: state.in_flight.running(),
        memory: &state.memory,
        tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks(),
        reason: state.readiness.reason(),
        replicas: &replicas,
        audit: state.audit.as_ref().map(crate::audit::Audit::state),
        budgets_exhausted: usage::budgets_exhausted(state.audit.as_ref(), &control),
    };
    if extractor.pipeline.engine() == EngineName::Vllm {
        state.metrics.models().set_shares(&extractor.routing.shares());
    }
    let body = state.metrics.render(&gauges, format);
    let headers = [(header::CONTENT_TYPE, format.content_type()), (header::VARY, "Accept")];
    (headers.map(|(name, value)| (name, HeaderValue::from_static(value))), body).into_response()
}

/// Returns `OpenMetrics` only for a client that names it and gives it at least the quality of plain text in `Accept`.
fn format_for(headers: &HeaderMap) -> MetricsFormat {
    let (mut openmetrics, mut text, mut any) = (0.0_f32, None, 0.0_f32);
    for range in accept::ranges(headers) {
        let quality = range.quality();
        let has_version = |known: &[&str]| range.parameter("version").is_none_or(|version| known.contains(&version));
        if range.is("application/openmetrics-text") && has_version(&["1.0.0", "0.0.1"]) {
            openmetrics = openmetrics.max(quality);
        } else if range.is("text/plain") && has_version(&["0.0.4"]) {
            text = Some(text.map_or(quality, |best: f32| best.max(quality)));
        } else if range.is("text/*") || range.is("*/*") {
            any = any.max(quality);
        }
    }
    if openmetrics > 0.0 && openmetrics >= text.unwrap_or(any) {
        MetricsFormat::OpenMetrics
    } else {
        MetricsFormat::Prometheus
    }
}

/// Returns the labels of the series that exist from the start.
#[must_use]
pub fn known_labels(engine: EngineName, models: &[ModelName]) -> KnownLabels {
    let routes = super::EXACT.into_iter().chain(super::PREFIXES.map(|(_, route)| route)).chain([NO_ROUTE]);
    let requests = routes.flat_map(|route| {
        let errors = openapi::errors_of(route).iter().chain(&openapi::ERRORS_OF_ALL).chain(head_errors(route));
        let errors = errors.map(|code| (code.status(), code.name()));
        let ok = successes(route).iter().map(|&status| (status, "ok"));
        let (unanswered, vanished) = CALLER_VANISHED;
        let disconnected = (matches!(route, "/api/v1/extract" | ask::ROUTE) || STREAMED.contains(&route))
            .then_some((StatusCode::OK, vanished));
        let disconnected =
            disconnected.into_iter().map(|(status, code)| (status.as_u16(), code)).chain([(unanswered, vanished)]);
        let mut outcomes: Vec<(u16, &str)> = ok.chain(errors).map(|(status, code)| (status.as_u16(), code)).collect();
        outcomes.extend(disconnected);
        outcomes.into_iter().map(move |(status, code)| (route, status, code))
    });
    let notes = NOTE_ROUTES.into_iter().flat_map(|route| {
        let codes = ErrorCode::ALL.into_iter().filter(|code| code.is_of_notes()).map(ErrorCode::name);
        codes.chain(["ok", CALLER_VANISHED.1]).map(move |code| (route, code))
    });
    debug_assert!(ErrorCode::Internal.name() == PANICKED.1, "a panic counts as an internal error");
    KnownLabels {
        requests: requests.collect(),
        notes: notes.collect(),
        models: models.iter().map(ToString::to_string).collect(),
        engine,
    }
}

/// Returns the statuses of a route's answers that are not errors.
fn successes(route: Route) -> &'static [StatusCode] {
    match route {
        jobs::ROUTE => &[StatusCode::OK, StatusCode::ACCEPTED],
        "/" | "/docs" => &[StatusCode::OK, StatusCode::SEE_OTHER],
        "/ui/{file}" => &[StatusCode::OK, StatusCode::PERMANENT_REDIRECT],
        "/health/ready" => &[StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE],
        NO_ROUTE => &[],
        _ => &[StatusCode::OK],
    }
}

/// Returns the errors of a route that depend on the request's head or on the keys.
fn head_errors(route: Route) -> &'static [ErrorCode] {
    match route {
        NO_ROUTE | "/ui/{file}" | "/docs/{*rest}" => {
            &[ErrorCode::HostNotAllowed, ErrorCode::MethodNotAllowed, ErrorCode::Unauthorized, ErrorCode::NotFound]
        }
        // `errors_of` has the missing key.
        "/metrics" => &[ErrorCode::HostNotAllowed, ErrorCode::MethodNotAllowed, ErrorCode::InsufficientScope],
        // Its verbose form needs a scope.
        _ if route == "/health" || !access::is_open_path(route) => &[
            ErrorCode::HostNotAllowed,
            ErrorCode::MethodNotAllowed,
            ErrorCode::Unauthorized,
            ErrorCode::InsufficientScope,
        ],
        _ => &[ErrorCode::HostNotAllowed, ErrorCode::MethodNotAllowed, ErrorCode::Unauthorized],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_only_for_clients_that_ask_for_it() {
        // What Prometheus 2.42 and 3 send.
        const OLD: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                           text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        const NEW: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                           application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;\
                           q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let format = |accept: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in accept {
                headers.append(header::ACCEPT, line.parse().unwrap());
            }
            format_for(&headers)
        };
        for accept in [
            &[OLD] as &[_],
            &[NEW],
            &["application/openmetrics-text"],
            &["Application/OpenMetrics-Text; Version=\"1.0.0\"; Q=0.5"],
            &["text/plain;q=0.1", "application/openmetrics-text;q=0.2"],
        ] {
            assert_eq!(format(accept), MetricsFormat::OpenMetrics, "{accept:?}");
        }
        for accept in [
            &[] as &[_],
            &[""],
            &["*/*"],
            &["text/plain;version=0.0.4"],
            &["text/plain;version=0.0.4;q=0.9,application/openmetrics-text;q=0.1"],
            &["application/openmetrics-text;q=0"],
            &["application/openmetrics-text;version=7.0.0"],
            &["application/openmetrics-text;q=0.5,*/*"],
            &["application/json"],
            &["text/html,application/xhtml+xml,*/*;q=0.8"],
        ] {
            assert_eq!(format(accept), MetricsFormat::Prometheus, "{accept:?}");
        }
    }
}
