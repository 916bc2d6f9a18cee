//! `monitor` on a box: the data of EC2 and the host, with a gateway that does not answer.

use serde_json::{Value, json};

use crate::{account, laptop::Laptop, served};

/// Takes a snapshot of the box. Nothing listens at the gateway's address.
fn snapshot(ada: &Laptop<'_>) -> Value {
    let arguments = ["monitor", "--once", "--with-box", "--url", "http://127.0.0.1:1", "--format", "json"];
    let said = ada.run(&arguments);
    said.ended(0, &[]);
    // The queries to the host print nothing: a dashboard would draw on the screen.
    assert_eq!(said.events().len(), 1, "{said}");
    said.json()
}

#[test]
fn a_running_box_has_its_cost_and_services() {
    let emulator = served();
    let found = snapshot(&Laptop::new(&emulator, "ada@laptop"));
    let instance = &found["box"]["value"];
    assert_eq!((&instance["state"], &instance["kind"]), (&json!("running"), &json!("g6.2xlarge")));
    assert!(instance["cost_so_far_usd"].is_number() && instance["usd_per_hour"].as_f64().unwrap() > 0.5, "{found}");
    let host = &found["host"]["value"];
    let services: Vec<&Value> = host["services"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(services, [&json!("gateway"), &json!("vllm")]);
    assert_eq!((&host["release"], &host["services"][1]["health"]), (&json!(1), &json!("healthy")));
    assert!(host["gpu"]["memory_total_mib"].as_u64().unwrap() > 0, "{found}");
    assert_eq!((&found["gateway"]["value"], &found["gateway"]["stale"]), (&Value::Null, &json!(true)));
    assert_eq!(found["alerts"][0]["alert"], "service_down");
}

#[test]
fn a_stopped_box_costs_its_disk_and_is_no_alert() {
    let emulator = account();
    let found = snapshot(&Laptop::new(&emulator, "ada@laptop"));
    let instance = &found["box"]["value"];
    assert_eq!((&instance["state"], &instance["cost_so_far_usd"]), (&json!("stopped"), &Value::Null));
    assert_eq!(found["host"]["error"], "the box is stopped");
    assert_eq!(found["alerts"], json!([]));
}
