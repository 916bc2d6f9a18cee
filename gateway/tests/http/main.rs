//! Tests the HTTP routes in process: bad input, the stored OpenAPI document, and what an unmodified frontend needs.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic in a helper fails the test")]

mod alerts;
mod ask;
mod batch;
mod bodies;
mod codes;
mod dictation;
mod empty_records;
mod encodings;
mod exposition;
mod fake_ocr;
#[expect(dead_code, reason = "other tests use the rest of this shared file")]
mod fake_vllm;
mod fake_whisper;
mod faults;
mod keys;
mod long_notes;
mod metrics;
mod model_answers;
mod pages;
mod patient;
mod scans;
mod sockets;
mod stream;
mod tokens;
mod usage;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use gateway::{
    config::{Flags, Settings},
    http,
    server::Gateway,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

const MELANOMA: &str = "A 61-year-old teacher presented with metastatic cutaneous melanoma of the back. NGS reported \
                        TMB-high and PD-L1 was 5%; BRAF was not tested. For two symptomatic brain metastases she \
                        received nivolumab plus ipilimumab and stereotactic radiosurgery. CT and MRI after three \
                        months showed that some lesions had shrunk while one had grown \u{2014} overall a mixed \
                        response.";
const FIELDS: [&str; 7] =
    ["cancer_type", "stage", "gene_mutation", "biomarker", "treatment", "response", "metastasis_site"];

fn rules() -> Router {
    let mut settings = Settings::load(&Flags::default()).unwrap();
    settings.cors.origins = vec!["https://*.vercel.app".parse().unwrap()];
    let origins = settings.cors.origins.clone();
    http::router(Gateway::new(settings).unwrap().app, origins)
}

async fn send(router: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, Vec<u8>) {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    (parts.status, parts.headers, body.collect().await.unwrap().to_bytes().to_vec())
}

async fn post(router: &Router, body: impl Into<Body>) -> (StatusCode, Value) {
    let request =
        Request::post("/api/v1/extract").header("content-type", "application/json").body(body.into()).unwrap();
    let (status, headers, body) = send(router, request).await;
    let media_type = if status == StatusCode::OK { "application/json" } else { "application/problem+json" };
    assert_eq!(headers["content-type"], media_type);
    (status, serde_json::from_slice(&body).unwrap())
}

#[test]
fn the_stored_openapi_document_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let now = http::document(&http::DocumentSettings::default());
    // The values are compared, not the texts: the order of keys depends on the crates in the same build.
    let differing = now.as_object().unwrap().iter().find(|(key, value)| golden.get(key) != Some(value));
    let differing = differing.map(|(key, _)| key);
    assert_eq!(
        differing, None,
        "the stored document is out of date. Refresh it: cargo run -p gateway -- openapi > gateway/openapi.json"
    );
    assert_eq!(golden, now);
}

#[tokio::test]
async fn the_rules_read_the_melanoma_note() {
    let (status, answer) = post(&rules(), json!({"text": MELANOMA}).to_string()).await;
    assert_eq!(status, StatusCode::OK);
    for (field, expected) in [
        ("cancer_type", json!("cutaneous melanoma")),
        ("stage", json!("IV")),
        ("gene_mutation", Value::Null),
        ("biomarker", json!("TMB-high; PD-L1 5%")),
        ("treatment", json!("nivolumab; ipilimumab; stereotactic radiosurgery")),
        ("response", json!("mixed response")),
        ("metastasis_site", json!("brain")),
    ] {
        assert_eq!(answer[field], expected, "{field}");
    }
    assert_eq!(
        (&answer["engine"], &answer["tokens_used"], &answer["prompt"]),
        (&json!("rules"), &json!(0), &Value::Null)
    );
}

#[tokio::test]
async fn offsets_cut_the_quotes_out_of_the_note_in_each_unit() {
    let text = "😀 Stage IIIB breast cancer — ER positive; é: trastuzumab.";
    for unit in ["codepoint", "utf16", "byte"] {
        let (_, answer) = post(&rules(), json!({"text": text, "offsets": unit}).to_string()).await;
        let mut found = 0;
        for finding in FIELDS.iter().flat_map(|field| answer["evidence"][field].as_array().unwrap()) {
            let Some(quote) = finding["quote"].as_str() else { continue };
            let (start, end) = (offset(&finding["start"]), offset(&finding["end"]));
            let slice = match unit {
                "codepoint" => text.chars().skip(start).take(end - start).collect(),
                "utf16" => String::from_utf16(&text.encode_utf16().collect::<Vec<_>>()[start..end]).unwrap(),
                _ => text.get(start..end).unwrap().to_owned(),
            };
            assert_eq!(slice, quote, "{unit}");
            found += 1;
        }
        assert!(found >= 3, "{unit}: {answer}");
    }
}

#[tokio::test]
async fn a_value_has_the_date_near_it_and_note_date_resolves_it() {
    let text = "Osimertinib was started two months ago for lung cancer.";
    for (note_date, value, precision) in
        [(Value::Null, "two months ago", "relative"), (json!("2021-05-20"), "2021-03", "month")]
    {
        let (_, answer) = post(&rules(), json!({"text": text, "note_date": note_date}).to_string()).await;
        let date = json!({"value": value, "precision": precision, "start": 24, "end": 38});
        assert_eq!(answer["evidence"]["treatment"][0]["date"], date);
        assert_eq!(answer["evidence"]["cancer_type"][0]["date"], Value::Null);
    }
}

fn offset(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

#[tokio::test]
async fn bad_bodies_get_a_clear_problem_without_text_of_the_note() {
    const CANARY: &str = "CANARYnote";
    let router = rules();
    let long = json!({"text": format!("{CANARY}{}", "x".repeat(100_000))}).to_string();
    for (body, status, code, expected_detail) in [
        (format!("{{\"text\": \"{CANARY}\""), 400, "invalid_json", ""),
        (CANARY.to_owned(), 400, "invalid_json", ""),
        (String::new(), 400, "invalid_json", ""),
        (json!([CANARY]).to_string(), 422, "invalid_request", "JSON object"),
        (json!({"note": CANARY}).to_string(), 422, "invalid_request", "`note`"),
        (json!({"text": CANARY, CANARY.repeat(5): 1}).to_string(), 422, "invalid_request", "a key that"),
        (json!({"text": [CANARY]}).to_string(), 422, "invalid_request", "`text` must be a string"),
        (json!({"text": " \n\t "}).to_string(), 422, "invalid_request", "white space"),
        (json!({"text": format!("{CANARY}\0")}).to_string(), 422, "invalid_request", "U+0000"),
        (long, 422, "invalid_request", "100000"),
        (json!({"text": CANARY, "temperature": 2.5}).to_string(), 422, "invalid_request", "`temperature`"),
        (json!({"text": CANARY, "temperature": CANARY}).to_string(), 422, "invalid_request", "`temperature`"),
        (json!({"text": CANARY, "max_tokens": 0}).to_string(), 422, "invalid_request", "`max_tokens`"),
        (json!({"text": CANARY, "max_tokens": 8193}).to_string(), 422, "invalid_request", "`max_tokens`"),
        (json!({"text": CANARY, "model": CANARY}).to_string(), 422, "invalid_request", "`model`"),
        (json!({"text": CANARY, "offsets": CANARY}).to_string(), 422, "invalid_request", "`offsets`"),
        (json!({"text": CANARY, "note_date": "2021-02-31"}).to_string(), 422, "invalid_request", "`note_date`"),
        (json!({"text": CANARY, "note_date": CANARY}).to_string(), 422, "invalid_request", "`note_date`"),
        (
            json!({"text": CANARY, "note_date": 2021}).to_string(),
            422,
            "invalid_request",
            "`note_date` must be a string",
        ),
        (format!("{{\"text\":\"{CANARY}\",\"text\":\"b\"}}"), 422, "invalid_request", "twice"),
        (format!("{{\"text\":\"{}\"}}", CANARY.repeat(1 << 20)), 413, "body_too_large", ""),
    ] {
        let start: String = body.chars().take(60).collect();
        let (answered_status, problem) = post(&router, body).await;
        assert_eq!(
            (answered_status.as_u16(), &problem["code"], &problem["status"]),
            (status, &json!(code), &json!(status)),
            "{start}"
        );
        assert!(problem["detail"].as_str().unwrap().contains(expected_detail), "{start}: {problem}");
        assert!(!problem.to_string().contains(CANARY), "{problem}");
        assert!(!problem["request_id"].as_str().unwrap().is_empty());
    }
    let (status, problem) = post(&router, vec![b'"', 0xff, 0xfe, b'"']).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("invalid_json")));
}

#[tokio::test]
async fn wrong_paths_methods_and_media_types_get_json_problems() {
    let router = rules();
    for (method, path, media_type, status, code) in [
        ("GET", "/nope", "", 404, "not_found"),
        ("GET", "/api/v1/extract", "", 405, "method_not_allowed"),
        ("DELETE", "/health", "", 405, "method_not_allowed"),
        ("POST", "/api/v1/extract", "text/plain", 415, "unsupported_media_type"),
        ("POST", "/api/v1/extract", "", 415, "unsupported_media_type"),
    ] {
        let mut request = Request::builder().method(method).uri(path);
        if !media_type.is_empty() {
            request = request.header("content-type", media_type);
        }
        let (answered_status, headers, body) = send(&router, request.body(Body::from("{}")).unwrap()).await;
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((answered_status.as_u16(), &problem["code"]), (status, &json!(code)), "{method} {path}");
        assert_eq!(headers.contains_key("allow"), status == 405);
        assert_eq!(headers["x-request-id"], problem["request_id"].as_str().unwrap());
    }
}

#[tokio::test]
async fn request_ids_double_slashes_and_origins_are_handled() {
    let router = rules();
    for (id, kept) in [("abc-1._", true), ("a b", false), (&*"x".repeat(65), false)] {
        let request = Request::get("/health").header("x-request-id", id).body(Body::empty()).unwrap();
        assert_eq!(send(&router, request).await.1["x-request-id"] == id, kept, "{id}");
    }
    let request = Request::post("//api/v1//extract").header("content-type", "application/json");
    let request = request.body(Body::from(json!({"text": "stage II"}).to_string())).unwrap();
    assert_eq!(send(&router, request).await.0, StatusCode::OK);
    for (origin, allowed) in [("https://page-git-x.vercel.app", true), ("https://evil.example", false)] {
        let request = Request::builder().method("OPTIONS").uri("/api/v1/extract").header("origin", origin);
        let request = request.header("access-control-request-method", "POST").body(Body::empty()).unwrap();
        let headers = send(&router, request).await.1;
        assert_eq!(headers.contains_key("access-control-allow-origin"), allowed, "{origin}");
    }
}

#[tokio::test]
async fn every_documented_get_answers() {
    let router = rules();
    let document = http::document(&http::DocumentSettings::default());
    for (path, item) in document["paths"].as_object().unwrap() {
        if item.get("get").is_some() {
            let request = Request::get(path.as_str()).body(Body::empty()).unwrap();
            // Without `jobs.folder` there are no jobs, and without `audit.path` no usage.
            let is_off = path.starts_with("/api/v1/jobs") || path == "/api/v1/usage";
            let expected = if is_off { StatusCode::NOT_FOUND } else { StatusCode::OK };
            assert_eq!(send(&router, request).await.0, expected, "{path}");
        }
    }
    let note = json!({"text": "Der Patient fühlt sich wohl."}).to_string();
    let (_, answer) = post(&router, note).await;
    assert_eq!(answer["warnings"][0]["code"], "no_oncology_terms");
}

#[tokio::test]
async fn the_examples_of_answers_have_the_keys_of_answers() {
    let router = rules();
    let document = http::document(&http::DocumentSettings::default());
    let mut checked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(operation) = item.get("post") else { continue };
        // Jobs are off without a folder, and are answered with 202. Dictation and scans are off without a server.
        if operation["responses"].get("200").is_none() || ["/api/v1/transcribe", "/api/v1/scan"].contains(&&**path) {
            continue;
        }
        let (media_type, asked) = operation["requestBody"]["content"].as_object().unwrap().iter().next().unwrap();
        let reference = asked["schema"]["$ref"].as_str().unwrap_or_default();
        let of_schema = document.pointer(&format!("{}/example", reference.trim_start_matches('#')));
        let body = of_schema.map_or_else(|| asked["example"].as_str().unwrap().to_owned(), ToString::to_string);
        let request = Request::post(path.as_str()).header("content-type", media_type).body(Body::from(body)).unwrap();
        let (status, _, answer) = send(&router, request).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        let (_, answered) = operation["responses"]["200"]["content"].as_object().unwrap().iter().next().unwrap();
        match &answered["example"] {
            // Lines and events: the example is the start of the answer, but for what differs each time.
            Value::String(example) => {
                assert!(example.get(..30) == std::str::from_utf8(&answer).unwrap().get(..30), "{path}");
            }
            example => assert_eq!(outline(example), outline(&serde_json::from_slice(&answer).unwrap()), "{path}"),
        }
        checked += 1;
    }
    assert!(checked >= 5, "{checked}");
}

/// Returns a value with the keys of its objects and of the first object of each of its lists, two levels deep.
fn outline(value: &Value) -> Value {
    fn keys(value: &Value, depth: usize) -> Value {
        match value {
            Value::Object(object) if depth > 0 => {
                object.iter().map(|(key, value)| (key.clone(), keys(value, depth - 1))).collect()
            }
            Value::Array(items) if depth > 0 => items.iter().take(1).map(|item| keys(item, depth)).collect(),
            _ => Value::Null,
        }
    }
    keys(value, 3)
}
