//! Callers without a key, with too many requests, or with a key in the path.

use std::io::Write;

use gateway::{access, config::Settings};
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::served::{Served, code, pair};

const NOTE: &str = "Stage IV lung adenocarcinoma.";

/// Returns settings with a key file of these names, keys and options.
fn keys(lines: &[(&str, &str, &str)]) -> (Settings, NamedTempFile) {
    let mut file = NamedTempFile::new().unwrap();
    for (name, key, options) in lines {
        writeln!(file, "{} {options}", access::line_for(name, key).unwrap()).unwrap();
    }
    (Settings { auth_keys_file: Some(file.path().to_owned()), ..Settings::default() }, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn global_rate_limit_and_rate_limit_of_one_key() {
    let (page, study) = ("p".repeat(32), "s".repeat(32));
    let (mut settings, _file) = keys(&[("page", &page, ""), ("study", &study, "rate=2/h")]);
    settings.rate.global = Some("4/h".parse().unwrap());
    let served = Served::ready(settings).await;
    let ask = |key: &str| served.extract(NOTE).bearer_auth(key);
    let first = ask(&study).send().await.unwrap();
    assert_eq!((first.status().as_u16(), &first.headers()["ratelimit"]), (200, &"\"key\";r=1;t=1800".parse().unwrap()));
    assert_eq!(first.headers()["ratelimit-policy"], "\"key\";q=2;w=3600");
    assert_eq!(code(ask(&study)).await, pair(200, "ok"));
    let refused = ask(&study).send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 429);
    let after: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1_700..=1_800).contains(&after), "{after}");
    assert_eq!(refused.headers()["ratelimit"], format!("\"key\";r=0;t={after}"));
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "rate_limited");
    // The refused requests of `study` did not use up the global rate limit.
    assert_eq!([code(ask(&page)).await, code(ask(&page)).await], [pair(200, "ok"), pair(200, "ok")]);
    assert_eq!(code(ask(&page)).await, pair(429, "rate_limited"));
    let metrics = served.metric("gateway_rate_limited_total").await;
    assert!((metrics - 2.0).abs() < 0.1, "{metrics}");
    // Requests without a note do not count for the rate limit.
    assert_eq!(served.get("/api/v1/models").bearer_auth(&study).send().await.unwrap().status().as_u16(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_path_counts_only_with_the_option_path() {
    let (page, study) = ("p".repeat(32), "s".repeat(32));
    let (settings, _file) = keys(&[("page", &page, "path"), ("study", &study, "")]);
    let served = Served::ready(settings).await;
    let at = |path: String| {
        let url = format!("http://{}{path}", served.address);
        served.client.post(url).json(&serde_json::json!({"text": NOTE}))
    };
    assert_eq!(code(at(format!("/t/{page}/api/v1/extract"))).await, pair(200, "ok"));
    assert_eq!(code(at(format!("//t/{page}//api/v1/extract"))).await, pair(200, "ok"));
    for path in
        [format!("/t/{study}/api/v1/extract"), "/t/x/api/v1/extract".to_owned(), "/t//api/v1/extract".to_owned()]
    {
        assert_eq!(code(at(path)).await, pair(401, "unauthorized"));
    }
    // A key in a header takes precedence over one in the path.
    assert_eq!(code(at(format!("/t/{page}/api/v1/extract")).bearer_auth("x")).await, pair(401, "unauthorized"));
    assert_eq!(code(served.get(&format!("/t/{page}/nope"))).await, pair(404, "not_found"));
    let open = Served::ready(Settings::default()).await;
    assert_eq!(code(open.get("/t/x/api/v1/models")).await, pair(404, "not_found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_wrong_keys_does_not_affect_other_callers() {
    let page = "p".repeat(32);
    let (settings, _file) = keys(&[("page", &page, "")]);
    let served = Served::ready(settings).await;
    let mut flood = tokio::task::JoinSet::new();
    for sender in 0..16 {
        let (client, address) = (served.client.clone(), served.address);
        flood.spawn(async move {
            for at in 0..200 {
                let request =
                    client.get(format!("http://{address}/api/v1/models")).bearer_auth(format!("wrong-{sender}-{at}"));
                assert_eq!(code(request).await, pair(401, "unauthorized"));
            }
        });
    }
    let mut answered = 0;
    while !flood.is_empty() {
        assert_eq!(code(served.extract(NOTE).header("x-api-key", &page)).await, pair(200, "ok"));
        answered += 1;
        while let Some(sender) = flood.try_join_next() {
            sender.unwrap();
        }
    }
    assert!(answered > 10, "{answered}");
    let counted = served.metric("gateway_auth_failures_total").await;
    assert!((counted - 3_200.0).abs() < 0.1, "{counted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_address_comes_from_a_trusted_proxy() {
    let mut settings = Settings::default();
    settings.rate.per_address = Some("1/h".parse().unwrap());
    settings.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let served = Served::ready(settings).await;
    let from = |address: &str| code(served.extract(NOTE).header("x-forwarded-for", address));
    assert_eq!(from("198.51.100.1").await, pair(200, "ok"));
    assert_eq!(from("198.51.100.1").await, pair(429, "rate_limited"));
    assert_eq!(from("6.6.6.6, 198.51.100.1").await, pair(429, "rate_limited"));
    assert_eq!(from("198.51.100.2").await, pair(200, "ok"));
    // Requests without an address from the proxy share the rate limit of the proxy's address.
    assert_eq!(code(served.extract(NOTE)).await, pair(200, "ok"));
    assert_eq!(code(served.extract(NOTE)).await, pair(429, "rate_limited"));
    assert_eq!(from("127.0.0.1, 127.0.0.9").await, pair(429, "rate_limited"));
    // Without keys only this machine may read the metrics. A forwarded request is not from this machine.
    let request = served.get("/metrics").header("x-forwarded-for", "198.51.100.2");
    assert_eq!(code(request).await, pair(401, "unauthorized"));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_keys_metrics_and_verbose_health_need_a_key_even_on_this_machine() {
    let (page, scraper, wrong) = ("p".repeat(32), "m".repeat(32), "q".repeat(32));
    let (settings, _file) = keys(&[("page", &page, ""), ("scraper", &scraper, "metrics")]);
    let served = Served::ready(settings).await;
    for path in ["/metrics", "/health?verbose=1"] {
        let ask = || served.get(path);
        assert_eq!(code(ask()).await, pair(401, "unauthorized"), "{path}");
        // Headers of a proxy on this machine change nothing.
        for (name, value) in [
            ("x-forwarded-for", "198.51.100.2"),
            ("forwarded", "for=127.0.0.1"),
            ("x-real-ip", "203.0.113.9"),
            ("via", "1.1 nginx"),
            ("cf-connecting-ip", "203.0.113.9"),
            ("x-forwarded-for", "127.0.0.1"),
        ] {
            assert_eq!(code(ask().header(name, value)).await, pair(401, "unauthorized"), "{path} {name}");
        }
        assert_eq!(code(ask().bearer_auth(&wrong)).await, pair(401, "unauthorized"));
        for key in [&page, &scraper] {
            assert_eq!(ask().bearer_auth(key).send().await.unwrap().status().as_u16(), 200, "{path}");
        }
    }
    // The scraper's key opens nothing else.
    assert_eq!(code(served.extract(NOTE).bearer_auth(&scraper)).await, pair(403, "insufficient_scope"));
    assert_eq!(code(served.get("/api/v1/models").bearer_auth(&scraper)).await, pair(403, "insufficient_scope"));
    assert_eq!(code(served.extract(NOTE).bearer_auth(&page)).await, pair(200, "ok"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_port_needs_no_key_and_has_no_other_routes() {
    let (settings, _file) = keys(&[("page", &"p".repeat(32), "")]);
    let mut served = Served::ready(settings).await;
    let at = |path: &str| served.client.get(format!("http://{}{path}", served.metrics_address));
    let metrics = at("/metrics").send().await.unwrap();
    assert_eq!(metrics.status().as_u16(), 200);
    assert!(metrics.text().await.unwrap().contains("# TYPE gateway_"));
    let health: Value = at("/health?verbose=1").send().await.unwrap().json().await.unwrap();
    assert!(health["uptime_seconds"].is_u64() && health["idle_seconds"].is_u64(), "{health}");
    assert_eq!(at("/health/ready").send().await.unwrap().status().as_u16(), 200);
    for path in ["/", "/api/v1/models", "/api/v1/extract", "/docs", "/openapi.json", "/ui"] {
        assert_eq!(code(at(path)).await, pair(404, "not_found"), "{path}");
    }
    // A page of another site cannot read it.
    assert_eq!(code(at("/metrics").header("host", "evil.example")).await, pair(421, "host_not_allowed"));
    served.stop();
    served.ended().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_door_is_said() {
    let served = Served::ready(Settings::default()).await;
    let health: Value = served.get("/health").send().await.unwrap().json().await.unwrap();
    assert_eq!(health.get("notices"), None);
    let settings = Settings {
        auth: Some(gateway::config::Auth::Off),
        listen: "0.0.0.0:0".parse().unwrap(),
        ..Settings::default()
    };
    let app = gateway::server::Gateway::new(settings).unwrap().app;
    assert!(app.access.open_to_all);
}
