//! No slot is lost, whatever callers and model servers do.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    fake_vllm::{UpstreamBehaviour, start},
    served::{Served, pair, until, with_model},
};

#[tokio::test(flavor = "multi_thread")]
async fn vanished_callers_in_flight_and_in_the_queue_free_their_slots() {
    let permits = Arc::new(Semaphore::new(0));
    let fake = start(vec![UpstreamBehaviour::Hold(Arc::clone(&permits))]).await;
    let mut settings = with_model(&[fake.address]);
    (settings.admission.in_flight, settings.admission.queue) = (2, 3);
    let served = Served::ready(settings).await;
    let mut callers = JoinSet::new();
    for _ in 0..5 {
        let request = served.extract("Stage IV lung adenocarcinoma.").send();
        callers.spawn(async move { _ = request.await });
    }
    let counts = || served.app.extractor.pipeline.admission().counts();
    until("two run and three wait", async || (counts().in_flight, counts().queued) == (2, 3)).await;
    // The queue is full, so the gateway refuses at once, with a Retry-After header.
    let refused = served.extract("Stage II breast cancer.").send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 503);
    assert!(refused.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    assert!(refused.text().await.unwrap().contains("overloaded"));
    callers.abort_all();
    until("all slots are back", async || (counts().in_flight, counts().queued) == (0, 0)).await;
    // A returned slot may go to a disconnected caller that the gateway has not noticed yet.
    let counted = counts();
    assert!((2..=5).contains(&counted.given) && counted.refused == 1, "{counted:?}");
    assert_eq!((counted.returned, counted.abandoned), (counted.given, counted.given));
    until("callers are counted", async || (served.metric("gateway_callers_vanished_total").await - 5.0).abs() < 0.1)
        .await;
    permits.add_permits(9);
    assert_eq!(served.code("Stage II breast cancer.").await, pair(200, "ok"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_timeout_holds_in_the_queue_and_at_the_model_server() {
    let fake = start(vec![UpstreamBehaviour::Hang]).await;
    let mut settings = with_model(&[fake.address]);
    settings.admission.in_flight = 1;
    let served = Served::ready(settings).await;
    let ask = |seconds: &str| {
        crate::served::code(served.extract("Stage IV lung adenocarcinoma.").header("x-request-timeout", seconds))
    };
    let (first, second) = tokio::join!(ask("0.3"), ask("0.2"));
    assert_eq!((first, second), (pair(504, "deadline_exceeded"), pair(504, "deadline_exceeded")));
    for bad in ["soon", "0", "-1", "inf"] {
        assert_eq!(ask(bad).await, pair(422, "invalid_request"), "{bad}");
    }
    let counts = served.app.extractor.pipeline.admission().counts();
    assert_eq!((counts.in_flight, counts.queued, counts.given), (0, 0, counts.returned));
}

/// Patient and impatient callers at once, with every kind of fault: afterwards every slot is free.
#[tokio::test(flavor = "multi_thread")]
async fn no_slot_is_lost_under_mixed_faults() {
    let good = crate::fake_vllm::RECORD.to_owned();
    let acts = [
        UpstreamBehaviour::Text(good),
        UpstreamBehaviour::Reset,
        UpstreamBehaviour::Status(503, serde_json::json!({})),
        UpstreamBehaviour::Hang,
        UpstreamBehaviour::CutOff,
        UpstreamBehaviour::BreakOff,
    ];
    let fake = start((0..2_000).map(|at| acts[at % acts.len()].clone()).collect()).await;
    let mut settings = with_model(&[fake.address]);
    (settings.admission.in_flight, settings.admission.queue) = (4, 8);
    settings.admission.deadline = Duration::from_millis(300);
    let served = Served::ready(settings).await;
    let mut callers = JoinSet::new();
    for at in 0..400_u64 {
        let request = served.extract("Stage IV lung adenocarcinoma.").send();
        callers.spawn(async move {
            if at % 3 == 0 {
                let _ = tokio::time::timeout(Duration::from_millis(at % 50), request).await;
            } else {
                assert!(request.await.unwrap().json::<serde_json::Value>().await.unwrap().is_object());
            }
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    let counts = || served.app.extractor.pipeline.admission().counts();
    until("all slots are back", async || (counts().in_flight, counts().queued) == (0, 0)).await;
    assert_eq!(counts().given, counts().returned);
    assert!(counts().given > 20, "{:?}", counts());
}
