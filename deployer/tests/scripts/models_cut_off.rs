//! Changes of models that were killed: it is defined which models the running gateway answers with.

use deployer::script::{Action, ActionOutcome, KeyChange, Keys, ModelChangeKind};

use crate::{
    deploys::{assert_serves, of},
    models::{NEW, OLD, found, line, loaded, make, script, two, whole, with_adapters},
    support::{
        host::Host,
        wanted::{act, gateway},
    },
};

/// A host whose change to the new model was killed after its signal: the gateway has the new model, and the record the
/// old one.
fn killed() -> Host {
    let host = two();
    host.fault("kill", "kill-after");
    assert_eq!(host.run_text(&script(&host, ModelChangeKind::Use, &whole(NEW)).text()).code, None);
    host.no_faults();
    assert_eq!((loaded(&host), found(&host).changing), (line(&[&whole(NEW)]), whole(NEW)));
    host
}

/// The same, and then a way back that was killed before its signal: the file has the old model, and the gateway the new
/// one.
fn killed_twice() -> Host {
    let host = killed();
    host.fault("kill", "kill");
    assert_eq!(host.run_text(&script(&host, ModelChangeKind::Rollback, "configured").text()).code, None);
    host.no_faults();
    assert!(host.root("releases/1/config/gateway.toml").contains(&line(&[&whole(OLD)])));
    assert_eq!(loaded(&host), line(&[&whole(NEW)]));
    host
}

fn answers_as_recorded(host: &Host) {
    assert_eq!((loaded(host), found(host).changing), (line(&[&whole(OLD)]), String::new()));
}

#[test]
fn what_a_killed_change_left_in_the_gateway_is_gone_after_the_next_deploy_or_rollback() {
    for left in [killed, killed_twice] {
        let again = [of(with_adapters(1, &[OLD, NEW])), act(&Action::Rollback { to: Some(1) })];
        for next in again {
            let host = left();
            assert!(host.run(&act(&Action::Status)).report().status().unwrap().models_cut_off);
            let model = host.started("vllm");
            let ran = host.run(&next);
            assert_eq!((ran.report().outcome, ran.report().release), (ActionOutcome::Done, Some(1)), "{ran:?}");
            answers_as_recorded(&host);
            assert_eq!(host.started("vllm"), model, "the model server is not restarted");
            assert!(!host.run(&act(&Action::Status)).report().status().unwrap().models_cut_off);
            // The next one has nothing to do.
            assert_eq!(host.run(&next).report().outcome, ActionOutcome::NothingToDo);
        }
    }
}

#[test]
fn the_way_back_of_a_deploy_repairs_it_too() {
    let host = killed();
    host.behave(&gateway(2), "degraded");
    let ran = host.run(&of(with_adapters(2, &[OLD, NEW])));
    assert_eq!((ran.report().outcome, ran.report().rolled_back_to), (ActionOutcome::RolledBack, Some(1)), "{ran:?}");
    assert_serves(&host, 1, 1);
    answers_as_recorded(&host);
}

#[test]
fn it_is_known_until_something_was_verified() {
    let host = killed();
    host.behave(&gateway(1), "degraded");
    let ran = host.run(&of(with_adapters(1, &[OLD, NEW])));
    assert_eq!(ran.report().outcome, ActionOutcome::NeedsAPerson, "{ran:?}");
    assert_eq!(found(&host).changing, whole(NEW));
    host.behave(&gateway(1), "");
    assert_eq!(host.run(&of(with_adapters(1, &[OLD, NEW]))).code, Some(0));
    answers_as_recorded(&host);
}

#[test]
fn a_refused_change_after_a_killed_one_makes_the_gateway_read_what_answered_before() {
    let shares = format!("{OLD}=50 {NEW}=50");
    let host = killed();
    host.set("refuses_models", "once: too many models");
    let ran = make(&host, ModelChangeKind::Use, &shares);
    assert_eq!(ran.report().outcome, ActionOutcome::FailedUnchanged, "{ran:?}");
    answers_as_recorded(&host);

    // A gateway that refuses those too may answer with either.
    let host = killed();
    host.set("refuses_models", "too many models");
    let ran = make(&host, ModelChangeKind::Use, &shares);
    assert_eq!(ran.report().outcome, ActionOutcome::NeedsAPerson, "{ran:?}");
    assert_eq!(found(&host).changing, shares);
}

#[test]
fn keys_that_are_read_again_say_that_models_are_too() {
    let add = |host: &Host| {
        let before = host.run(&act(&Action::Keys(Keys::List))).report().keys().unwrap().sha256;
        let line = Some(format!("lab {}", "1".repeat(64)));
        host.run(&act(&Action::Keys(Keys::Change(KeyChange {
            name: "lab".to_owned(),
            line,
            before,
            config_hash: String::new(),
        }))))
    };
    let ran = add(&killed());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let warnings = &ran.report().warnings;
    assert!(warnings.iter().any(|text| text.contains(&format!("may answer with {NEW} from now on"))), "{warnings:?}");
    let ran = add(&two());
    assert!(ran.code == Some(0) && ran.report().warnings.is_empty(), "{ran:?}");
}
