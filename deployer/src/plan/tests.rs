//! Tables for the plan of `up`: the desired and the current state, the change of each service and the outage.

use super::{CurrentRelease, CurrentState, DesiredState, HostState, Outage, ServiceChange, TimeLimits, up_diff};
use crate::{
    cloud::InstanceState,
    config::ConfigHash,
    script::{ImageDigest, ImageTag, ImageWanted, RunningImages},
};

fn digest(name: &str, n: u8) -> String {
    format!("r.example/{name}@sha256:{n:064x}")
}

fn image(name: &str, n: u8) -> ImageWanted {
    ImageWanted::Digest(ImageDigest::parse(&digest(name, n)).unwrap())
}

fn hash(parts: &str) -> ConfigHash {
    let parts: Vec<String> = parts.chars().map(String::from).collect();
    ConfigHash { compose: parts[0].clone(), vllm: parts[1].clone(), gateway: parts[2].clone() }
}

fn wanted(gateway: u8, vllm: u8, parts: &str) -> DesiredState {
    let limits = TimeLimits { load: 1800, ready: 90, drain: 45 };
    let (gateway, vllm) = (image("gateway", gateway), image("vllm", vllm));
    DesiredState { gateway, vllm, hash: hash(parts), restart_vllm: false, limits }
}

fn serving(gateway: u8, vllm: u8, parts: &str) -> CurrentRelease {
    CurrentRelease {
        release: 7,
        images: RunningImages { gateway: digest("gateway", gateway), vllm: digest("vllm", vllm) },
        hash: hash(parts).to_string(),
        healthy: true,
        model_healthy: true,
        half_done: false,
    }
}

fn running(serving: CurrentRelease) -> CurrentState {
    CurrentState { state: InstanceState::Running, host: HostState::Release(serving) }
}

/// Asserts the plan of `wanted` on `now`: (gateway, vllm, outage), the changes by the names of their variants.
fn check(wanted: &DesiredState, now: &CurrentState, expected: (&str, &str, Outage)) {
    let plan = up_diff(wanted, now);
    let name = |part: &ServiceChange| serde_json::to_value(part).unwrap()["change"].as_str().unwrap().to_owned();
    let found = (name(&plan.gateway), name(&plan.vllm), plan.outage);
    assert_eq!((found.0.as_str(), found.1.as_str(), found.2), expected, "{wanted:?} on {now:?}");
    let untouched = expected == ("unchanged", "unchanged", Outage::None);
    assert_eq!(plan.changes, !untouched, "{plan:?}");
    assert_eq!(plan.outage_seconds, plan.outage.seconds());
    // The wait for a gateway that never gets ready is shorter than the wait for a model load.
    let worst = match plan.outage {
        Outage::None => 0,
        Outage::Gateway => 270,
        _ => 3870,
    };
    assert_eq!(plan.worst_outage_seconds, worst);
}

#[test]
fn services_that_run_as_wanted_stay_unchanged() {
    check(&wanted(1, 1, "aaa"), &running(serving(1, 1, "aaa")), ("unchanged", "unchanged", Outage::None));
}

#[test]
fn a_change_of_the_gateway_leaves_the_model_loaded() {
    check(&wanted(2, 1, "aaa"), &running(serving(1, 1, "aaa")), ("image", "unchanged", Outage::Gateway));
    check(&wanted(1, 1, "aab"), &running(serving(1, 1, "aaa")), ("settings", "unchanged", Outage::Gateway));
    check(&wanted(2, 1, "aab"), &running(serving(1, 1, "aaa")), ("image", "unchanged", Outage::Gateway));
}

#[test]
fn a_change_of_the_model_server_costs_a_model_load() {
    check(&wanted(1, 2, "aaa"), &running(serving(1, 1, "aaa")), ("again", "image", Outage::Model));
    check(&wanted(2, 2, "aaa"), &running(serving(1, 1, "aaa")), ("image", "image", Outage::Model));
    check(&wanted(1, 1, "aba"), &running(serving(1, 1, "aaa")), ("settings", "settings", Outage::Model));
    let again = DesiredState { restart_vllm: true, ..wanted(1, 1, "aaa") };
    check(&again, &running(serving(1, 1, "aaa")), ("unchanged", "again", Outage::Model));
}

#[test]
fn the_plan_says_what_only_the_host_can_decide() {
    check(&wanted(1, 1, "baa"), &running(serving(1, 1, "aaa")), ("settings", "compose", Outage::PerhapsModel));
    let tag = |name: &str| ImageWanted::Tag(ImageTag::new(&format!("r.example/{name}"), "v2").unwrap());
    let both = DesiredState { gateway: tag("gateway"), vllm: tag("vllm"), ..wanted(1, 1, "aaa") };
    check(&both, &running(serving(1, 1, "aaa")), ("lookup", "lookup", Outage::PerhapsModel));
    let one = DesiredState { gateway: tag("gateway"), ..wanted(1, 1, "aaa") };
    check(&one, &running(serving(1, 1, "aaa")), ("lookup", "unchanged", Outage::Gateway));
    // Another version of this program wrote the hash.
    let old = CurrentRelease { hash: "one".to_owned(), ..serving(1, 1, "aaa") };
    check(&wanted(1, 1, "aaa"), &running(old), ("settings", "settings", Outage::Model));
}

#[test]
fn services_that_do_not_serve_are_started() {
    let unhealthy = CurrentRelease { healthy: false, model_healthy: false, ..serving(1, 1, "aaa") };
    check(&wanted(1, 1, "aaa"), &running(unhealthy), ("again", "again", Outage::NothingServes));
    let empty = |half_done| CurrentState { state: InstanceState::Running, host: HostState::Empty { half_done } };
    check(&wanted(1, 1, "aaa"), &empty(false), ("start", "start", Outage::NothingServes));
    for state in [InstanceState::Stopped, InstanceState::Stopping, InstanceState::Pending] {
        for last in [None, Some(CurrentRelease { healthy: false, model_healthy: false, ..serving(1, 1, "aaa") })] {
            let now = CurrentState { state: state.clone(), host: HostState::Unreachable(last) };
            check(&wanted(1, 1, "aaa"), &now, ("start", "start", Outage::NothingServes));
            assert_eq!(up_diff(&wanted(1, 1, "aaa"), &now).start, state != InstanceState::Pending);
        }
    }
}

#[test]
fn a_restart_of_an_unhealthy_gateway_leaves_the_model_loaded() {
    let unhealthy = CurrentRelease { healthy: false, ..serving(1, 1, "aaa") };
    check(&wanted(1, 1, "aaa"), &running(unhealthy.clone()), ("again", "unchanged", Outage::Gateway));
    check(&wanted(2, 1, "aaa"), &running(unhealthy.clone()), ("image", "unchanged", Outage::Gateway));
    check(&wanted(1, 2, "aaa"), &running(unhealthy), ("again", "image", Outage::NothingServes));
}

#[test]
fn a_stopped_host_with_an_unknown_configuration_is_started() {
    let last = CurrentRelease { healthy: false, model_healthy: false, hash: String::new(), ..serving(1, 1, "aaa") };
    let now = CurrentState { state: InstanceState::Stopped, host: HostState::Unreachable(Some(last)) };
    check(&wanted(1, 1, "aaa"), &now, ("start", "start", Outage::NothingServes));
}

#[test]
fn a_switch_that_was_cut_off_is_repaired_even_if_the_state_is_as_wanted() {
    let cut = CurrentRelease { half_done: true, ..serving(1, 1, "aaa") };
    let plan = up_diff(&wanted(1, 1, "aaa"), &running(cut));
    assert!(plan.repair && plan.changes, "{plan:?}");
}
