//! progenitor: generated from the 3.0 document while this crate is compiled. Makes the calls of the other clients.

use futures_util::TryStreamExt;
use serde_json::{Value, from_str, from_value, json};

progenitor::generate_api!("openapi-3.0.json");

const NOTE: &str = "Stage IV lung adenocarcinoma with EGFR L858R, on osimertinib with a partial response.";

/// Returns the whole text of an answer that the client gives in pieces.
async fn text(answer: ResponseValue<ByteStream>) -> String {
    let pieces: Vec<bytes::Bytes> = answer.into_inner().into_inner().try_collect().await.unwrap();
    String::from_utf8(pieces.concat()).unwrap()
}

fn note(text: &str) -> types::ExtractRequest {
    from_value(json!({"text": text})).unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let client = Client::new(&std::env::var("GATEWAY_URL").unwrap());

    let one = client.extract_note(&note(NOTE)).await.unwrap();
    assert_eq!(one.stage.as_ref().map(|stage| stage.as_str()), Some("IV"));
    // The client itself refuses a blank note, but not a number that is too high.
    assert!(from_value::<types::ExtractRequest>(json!({"text": "   "})).is_err());
    let hot = from_value(json!({"text": NOTE, "temperature": 3.0})).unwrap();
    let refused = client.extract_note(&hot).await.unwrap_err();
    let Error::ErrorResponse(problem) = refused else { panic!("{refused:?}") };
    let status = problem.status().as_u16();
    // The client takes `application/problem+json` for bytes.
    let problem: types::Problem = from_str(&text(problem).await).unwrap();
    assert_eq!((status, problem.code.to_string().as_str()), (422, "invalid_request"));

    let notes = from_value(json!({"notes": [{"id": "a", "text": NOTE}, {"id": "a", "text": NOTE}]})).unwrap();
    let batch = client.extract_batch(None, None, None, None, None, None, None, &notes).await.unwrap();
    assert_eq!((batch.summary.ok, batch.summary.failed), (1, 1));
    let first = batch.results[0].result.as_ref().unwrap();
    assert_eq!(first.stage.as_ref().map(|stage| stage.as_str()), Some("IV"));

    let line = json!({"id": "a", "text": NOTE}).to_string();
    let lines = client.extract_lines(None, None, None, None, None, Some(types::OffsetUnit::Utf16), None, line);
    let outcome: types::NoteOutcome = from_str(&text(lines.await.unwrap()).await).unwrap();
    assert_eq!(outcome.result.unwrap().stage.as_ref().map(|stage| stage.as_str()), Some("IV"));

    let stream = text(client.extract_stream(&note(NOTE)).await.unwrap()).await;
    let events: Vec<Value> =
        stream.lines().filter_map(|line| line.strip_prefix("data:")).map(|data| from_str(data).unwrap()).collect();
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds, [vec!["field"; 7], vec!["result"]].concat());
    let last: types::Answer = from_value(events[7].clone()).unwrap();
    assert_eq!(last.stage.as_ref().map(|stage| stage.as_str()), Some("IV"));
}
