//! Model servers that die, fail, change their addresses and return.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, atomic::Ordering::SeqCst},
    time::Duration,
};

use gateway::{
    admission::Admission,
    config::Settings,
    extraction::{AnswerOptions, Deadline, EngineRequest, Note, Pipeline, TokenBudget},
    readiness::Readiness,
    routing::Routing,
    telemetry::Metrics,
    vllm::{
        VllmEngine,
        dns::{Addresses, Resolver, ResolverSettings},
    },
};
use serde_json::json;
use tokio::{net::TcpListener, runtime::Runtime};

use crate::{
    fake_vllm::{self, FakeServer, RECORD, UpstreamBehaviour, start},
    served::{Served, pair, until, with_model},
};

/// A model server in its own runtime. Dropping it closes its connections too.
struct Replica {
    fake: FakeServer,
    runtime: Option<Runtime>,
}

impl Replica {
    async fn start_at(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let serving = async move {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            socket.bind(address).unwrap();
            fake_vllm::serve(socket.listen(64).unwrap(), vec![record()], 8_192)
        };
        let fake = runtime.spawn(serving).await.unwrap();
        Self { fake, runtime: Some(runtime) }
    }

    fn calls(&self) -> usize {
        self.fake.calls.load(SeqCst)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

fn record() -> UpstreamBehaviour {
    UpstreamBehaviour::Text(RECORD.to_owned())
}

fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn states(served: &Served) -> Vec<&'static str> {
    served.app.state.readiness.report().into_iter().map(|replica| replica.state).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_note_is_lost_while_one_of_two_replicas_restarts() {
    let (one, other) = (Replica::start_at(any_port()).await, Replica::start_at(any_port()).await);
    let addresses = [one.fake.address, other.fake.address];
    let served = Served::start(with_model(&addresses)).await;
    until("both are ready", async || states(&served) == ["ready", "ready"]).await;
    for _ in 0..40 {
        assert_eq!(served.code("Stage IV lung adenocarcinoma.").await, pair(200, "ok"));
    }
    assert!(one.calls() > 5 && other.calls() > 5, "{} {}", one.calls(), other.calls());
    drop(one);
    for _ in 0..40 {
        assert_eq!(served.code("Stage IV lung adenocarcinoma.").await, pair(200, "ok"));
    }
    assert_eq!(states(&served), ["unreachable", "ready"]);
    assert!(served.metric("gateway_upstream_ejections_total").await >= 1.0);
    let one = Replica::start_at(addresses[0]).await;
    until("it is called again", async || {
        assert_eq!(served.code("Stage IV lung adenocarcinoma.").await, pair(200, "ok"));
        one.calls() > 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_replica_restarts() {
    let one = Replica::start_at(any_port()).await;
    let address = one.fake.address;
    let served = Served::ready(with_model(&[address])).await;
    drop(one);
    assert_eq!(served.code("Stage IV lung adenocarcinoma.").await, pair(503, "upstream_unavailable"));
    until("health reports that it is unreachable", async || states(&served) == ["unreachable"]).await;
    let _one = Replica::start_at(address).await;
    // The last replica is never ejected, so the first call after its return is answered.
    assert_eq!(served.code("Stage IV lung adenocarcinoma.").await, pair(200, "ok"));
    until("health reports that it is ready", async || states(&served) == ["ready"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_always_fails_is_ejected_for_a_while() {
    for bad in [
        UpstreamBehaviour::Status(503, json!({})),
        UpstreamBehaviour::Reset,
        UpstreamBehaviour::Status(500, json!({})),
        UpstreamBehaviour::Html,
    ] {
        let shown = format!("{bad:?}");
        let (broken, sound) = (start(vec![bad]).await, start(vec![record()]).await);
        let served = Served::start(with_model(&[broken.address, sound.address])).await;
        until("both are ready", async || states(&served) == ["ready", "ready"]).await;
        let mut failed = 0;
        for _ in 0..60 {
            failed += u32::from(served.code("Stage IV lung adenocarcinoma.").await.0 != 200);
        }
        // A call that did not begin is retried on the other replica. A call that failed on its note is not.
        assert!(failed <= 6, "{shown}: {failed} of 60 failed");
        assert!(broken.calls.load(SeqCst) < 20 && sound.calls.load(SeqCst) >= 50, "{shown}");
        assert!(served.metric("gateway_upstream_ejections_total").await >= 1.0, "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_replica_gets_fewer_notes() {
    let permits = Arc::new(tokio::sync::Semaphore::new(0));
    let (slow, quick) = (start(vec![UpstreamBehaviour::Hold(Arc::clone(&permits))]).await, start(vec![record()]).await);
    let served = Served::start(with_model(&[slow.address, quick.address])).await;
    until("both are ready", async || states(&served) == ["ready", "ready"]).await;
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..200 {
        running.spawn(crate::served::code(served.extract("Stage IV lung adenocarcinoma.")));
        while running.len() > 10 {
            running.join_next().await.unwrap().unwrap();
        }
    }
    assert!(slow.calls.load(SeqCst) <= 32 && quick.calls.load(SeqCst) > 100, "{}", slow.calls.load(SeqCst));
    permits.add_permits(200);
    while let Some(answer) = running.join_next().await {
        assert_eq!(answer.unwrap(), pair(200, "ok"));
    }
}

/// A resolver whose addresses the test sets.
#[derive(Debug, Default)]
struct Zone(Mutex<HashMap<String, Vec<SocketAddr>>>);

impl Resolver for Zone {
    fn look_up<'a>(&'a self, host: &'a str, _: u16) -> Addresses<'a> {
        let found = self.0.lock().unwrap().get(host).cloned();
        Box::pin(std::future::ready(found.ok_or(io::ErrorKind::NotFound.into())))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_addresses_of_a_name_are_followed() {
    // All servers listen on one port, on several loopback addresses.
    let first = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = first.local_addr().unwrap().port();
    let socket_address = |address: &str| -> SocketAddr { format!("{address}:{port}").parse().unwrap() };
    let (second, third) = (
        TcpListener::bind(socket_address("127.0.0.3")).await.unwrap(),
        TcpListener::bind(socket_address("127.0.0.4")).await.unwrap(),
    );
    let [first, second, third] =
        [first, second, third].map(|listener| fake_vllm::serve(listener, vec![record()], 8_192));
    let zone = Arc::new(Zone::default());
    let set_addresses = |addresses: &[&str]| {
        let addresses = addresses.iter().map(|address| socket_address(address)).collect();
        zone.0.lock().unwrap().insert("vllm.test".to_owned(), addresses);
    };
    set_addresses(&["127.0.0.2", "127.0.0.3"]);

    let mut settings = Settings::default();
    settings.vllm.url = Some(format!("http://vllm.test:{port}"));
    let readiness = Arc::new(Readiness::of_vllm(Duration::from_mins(1)));
    let resolving =
        ResolverSettings { resolver: Arc::clone(&zone) as Arc<dyn Resolver>, interval: Duration::from_millis(10) };
    let routing = Arc::new(Routing::of(&settings.vllm, &settings.routing));
    let engine =
        VllmEngine::new(&settings.vllm, &routing, &resolving, &readiness, &Arc::default() as &Arc<Metrics>).unwrap();
    let pipeline = Pipeline::new(Arc::new(engine), Admission::new(4, 4), 6_000);
    let note = Note::new("Stage IV lung adenocarcinoma.".to_owned(), 100).unwrap();
    let request = EngineRequest::plain(TokenBudget::Adjustable(100), Arc::from("test"));
    let read = async || {
        pipeline.extract(&note, &request, AnswerOptions::default(), Deadline::after(Duration::from_secs(30))).await
    };
    let names = || -> Vec<String> { readiness.report().into_iter().map(|replica| replica.name).collect() };
    let all_ready = || readiness.report().iter().all(|replica| replica.state == "ready");
    until("both addresses are servers", async || names() == ["vllm-1.1", "vllm-1.2"] && all_ready()).await;
    for _ in 0..40 {
        read().await.unwrap();
    }
    let calls = |fake: &FakeServer| fake.calls.load(SeqCst);
    assert!(calls(&first) > 5 && calls(&second) > 5 && calls(&third) == 0);
    set_addresses(&["127.0.0.3", "127.0.0.4"]);
    until("the third is called", async || {
        read().await.unwrap();
        calls(&third) > 0
    })
    .await;
    let before = calls(&first);
    for _ in 0..40 {
        read().await.unwrap();
    }
    assert_eq!(calls(&first), before);
    // A failing lookup does not change the replicas.
    zone.0.lock().unwrap().clear();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(names().len(), 2);
    read().await.unwrap();
}
