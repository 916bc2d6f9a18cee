//! `url` and `cost`: their output for a running and a stopped box.

use crate::{
    account::{Account, Inside},
    laptop::{Laptop, WRITTEN_OUT},
};

fn account(address: Option<&str>) -> Account {
    Account::start(Inside { address: address.map(str::to_owned), ..Inside::default() })
}

#[test]
fn the_output_shows_whether_the_address_changed() {
    let (laptop, account) = (Laptop::new(WRITTEN_OUT), account(Some("203.0.113.7")));
    insta::assert_snapshot!("url_first", laptop.run(&["url"], Some(&account.url), "").shown());
    insta::assert_snapshot!("url_same", laptop.run(&["url"], Some(&account.url), "").shown());
    account.inside.lock().unwrap().address = Some("203.0.113.99".to_owned());
    insta::assert_snapshot!("url_changed", laptop.run(&["url"], Some(&account.url), "").shown());
    assert_eq!(account.inside.lock().unwrap().parameters["/extraction-gateway/url"], "http://203.0.113.99:8080");
    let bare = laptop.run(&["url", "--bare"], Some(&account.url), "");
    assert_eq!(bare.stdout, "http://203.0.113.99:8080\n");
}

#[test]
fn a_stopped_box_has_no_address() {
    let ended = Laptop::new(WRITTEN_OUT).run(&["url"], Some(&account(None).url), "");
    insta::assert_snapshot!("url_stopped", ended.shown());
}

#[test]
fn a_configured_domain_is_printed_while_the_box_is_stopped() {
    let tls = format!("{WRITTEN_OUT}\n[gateway]\nprofile = \"tls\"\ndomain = \"notes.example.org\"\n");
    let ended = Laptop::new(&tls).run(&["url"], Some(&account(None).url), "");
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "BACKEND_API_URL=https://notes.example.org\n"));
    assert!(ended.stderr.contains("the box is stopped: nothing answers there now"), "{}", ended.stderr);
    for bad in ["notes.example.org/", "https://notes.example.org", "notes.example.org:443"] {
        let ended = Laptop::new(&tls.replace("notes.example.org", bad)).run(&["url"], None, "");
        assert_eq!(ended.code, 2, "{}", ended.shown());
        assert!(ended.stderr.contains("gateway.domain must be a name"), "{}", ended.stderr);
    }
}

#[test]
fn cost_of_a_stopped_box() {
    let ended = Laptop::new(WRITTEN_OUT).run(&["cost"], Some(&account(None).url), "");
    insta::assert_snapshot!("cost_stopped", ended.shown());
}

#[test]
fn cost_of_a_running_box_as_json() {
    let ended =
        Laptop::new(WRITTEN_OUT).run(&["cost", "--format", "json"], Some(&account(Some("203.0.113.7")).url), "");
    let cost: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((cost["state"].as_str(), cost["running"]["usd_per_hour"].as_f64()), (Some("running"), Some(1.0214)));
    assert!(cost["so_far"]["usd"].as_f64().unwrap() > 1000.0, "since 2026-01-01: {cost}");
}
