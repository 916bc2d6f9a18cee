//! Tests of the choice of a note's model: its shares, what it depends on, and what a change moves.

use std::collections::BTreeMap;

use super::*;

const BOTH: [&str; 2] = ["medical-ie@0123abcd=90", "medical-ie@89ef4567=10"];

fn settings(models: &[&str]) -> RoutingSettings {
    let models = models.iter().map(|model| model.parse().unwrap()).collect();
    RoutingSettings { models, ..RoutingSettings::default() }
}

fn routing(models: &[&str]) -> Routing {
    Routing::of(&Vllm::default(), &settings(models))
}

fn of_note(routing: &Routing, note: &str) -> String {
    routing.resolve(None, Caller::default(), note).to_string()
}

#[test]
fn shares_are_within_one_percent_of_the_weights() {
    for models in [&BOTH[..], &["a=50", "b=50"], &["a=1", "b=99"], &["a=70", "b=20", "c=10"]] {
        let routing = routing(models);
        for kind in ["note", "key", "session"] {
            let mut counts = BTreeMap::<Arc<str>, f64>::new();
            for number in 0..10_000 {
                let text = format!("{kind} {number}");
                let principal = Principal::named(&text);
                let caller = match kind {
                    "session" => Caller { session: Some(&text), principal: None },
                    "key" => Caller { session: None, principal: Some(&principal) },
                    _ => Caller::default(),
                };
                *counts.entry(routing.resolve(None, caller, &text)).or_default() += 1.0;
            }
            for target in &routing.table().targets {
                let share = counts.get(&target.name).copied().unwrap_or_default() / 100.0;
                let wrong = (share - f64::from(target.percent)).abs();
                assert!(wrong < 1.0, "{models:?} {kind}: {} has {share} %", target.name);
            }
        }
    }
}

#[test]
fn a_session_comes_before_a_key_and_a_key_before_the_note() {
    let by_caller = routing(&["a=50", "b=50"]);
    let by_note = RoutingSettings { sticky: Stickiness::Note, ..settings(&["a=50", "b=50"]) };
    let by_note = Routing::of(&Vllm::default(), &by_note);
    let (key, other_key) = (Principal::named("key"), Principal::named("other"));
    let notes: Vec<String> = (0..64).map(|number| format!("Note {number}.")).collect();
    let all = |routing: &Routing, caller: Caller<'_>| -> Vec<Arc<str>> {
        notes.iter().map(|note| routing.resolve(None, caller, note)).collect()
    };
    let is_one = |models: &[Arc<str>]| models.windows(2).all(|pair| pair[0] == pair[1]);
    let by_session = |session, principal| Caller { session: Some(session), principal: Some(principal) };
    assert_eq!(all(&by_caller, by_session("s", &key)), all(&by_caller, by_session("s", &other_key)));
    assert!(is_one(&all(&by_caller, by_session("s", &key))));
    assert!(is_one(&all(&by_caller, Caller { session: None, principal: Some(&key) })));
    let alone = all(&by_caller, Caller::default());
    assert!(!is_one(&alone));
    assert_eq!(all(&by_note, by_session("s", &key)), alone);
    // In some case the same text chooses another model as a session than as a key or as a note.
    let differs = notes.iter().any(|text| {
        let session = by_caller.resolve(None, Caller { session: Some(text), principal: None }, "x");
        session != by_caller.resolve(None, Caller::default(), text)
    });
    assert!(differs);
}

/// The choice must be the same in every version of the gateway: a note that is read again months later is read by the
/// same model.
#[test]
fn the_choice_never_changes() {
    let routing = routing(&["medical-ie@0123abcd=50", "medical-ie@89ef4567=50"]);
    let first = |note: &str| of_note(&routing, note) == "medical-ie@0123abcd";
    let chosen: String = (0..32).map(|number| if first(&format!("Note {number}.")) { '0' } else { '8' }).collect();
    assert_eq!(chosen, "80000088800808808080888888880808");
}

#[test]
fn a_change_between_two_models_moves_no_more_notes_than_it_must() {
    let notes: Vec<String> = (0..5_000).map(|number| format!("Note {number}.")).collect();
    for (before, after, moved) in [
        (&BOTH[..], &["medical-ie@89ef4567=10", "medical-ie@0123abcd=90"][..], 0.0),
        (&BOTH, &["medical-ie@0123abcd=80", "medical-ie@89ef4567=20"], 10.0),
        (&["b=100"], &["a=10", "b=90"], 10.0),
        (&["a=60", "b=40"], &["b=100"], 60.0),
    ] {
        let (before, after) = (routing(before), routing(after));
        let others = notes.iter().filter(|note| of_note(&before, note) != of_note(&after, note)).count();
        let share = f64::from(u32::try_from(others).unwrap()) / 50.0;
        assert!((share - moved).abs() < 1.5, "{share} % of the notes moved, not {moved} %");
    }
}

#[test]
fn a_request_may_name_a_model_and_an_unlisted_one_is_not_known() {
    let routing = routing(&BOTH);
    let names = routing.names();
    assert_eq!(
        names.iter().map(|name| &**name).collect::<Vec<_>>(),
        ["medical-ie", "medical-ie@0123abcd", "medical-ie@89ef4567"]
    );
    assert_eq!(routing.resolve(Some(&names[2]), Caller::default(), "x"), names[2]);
    assert_ne!(routing.resolve(Some(&names[0]), Caller::default(), "x"), names[0]);
    assert!(!routing.served().contains(&names[0]));
    let plain = Routing::of(&Vllm::default(), &RoutingSettings::default());
    assert_eq!(plain.resolve(None, Caller::default(), "x"), plain.names()[0]);
    assert_eq!(plain.served(), plain.names());
}

#[test]
fn weights_are_replaced_only_by_models_that_are_known_and_served() {
    let vllm = Vllm { models: vec!["c".to_owned()], ..Vllm::default() };
    let routing = Routing::of(&vllm, &settings(&["a=100"]));
    assert_eq!(routing.replace(&settings(&["d=100"]), |_| true), Err(RoutingFault::NotKnown("d".to_owned())));
    let unserved = routing.replace(&settings(&["a=50", "c=50"]), |name| name != "c");
    assert_eq!(unserved, Err(RoutingFault::NotServed("c".to_owned())));
    assert_eq!(of_note(&routing, "x"), "a");
    assert_eq!(routing.replace(&settings(&["c=100"]), |_| true), Ok(true));
    assert_eq!(routing.replace(&settings(&["c=100"]), |_| true), Ok(false));
    assert_eq!((of_note(&routing, "x").as_str(), routing.summary().as_str()), ("c", "c=100"));
    // Without models the gateway would request the public name, which was not served.
    assert!(routing.replace(&RoutingSettings::default(), |_| true).is_err());
}

#[test]
fn the_shadow_reads_its_share_of_the_notes_that_other_models_answered() {
    let with_shadow =
        RoutingSettings { shadow: Some("b".to_owned()), shadow_percent: 20, ..settings(&["a=50", "b=50"]) };
    let routing = Routing::of(&Vllm::default(), &with_shadow);
    let notes: Vec<String> = (0..10_000).map(|number| format!("Note {number}.")).collect();
    let sampled = |note: &&String| routing.shadow_of(note, "a").is_some();
    let share = |count: usize| f64::from(u32::try_from(count).unwrap()) / 100.0;
    let (all, of_a) =
        (notes.iter().filter(sampled).count(), notes.iter().filter(|note| of_note(&routing, note) == "a"));
    assert!((share(all) - 20.0).abs() < 1.0, "{all}");
    // The sample does not depend on the model that answers.
    let sampled_of_a = of_a.filter(sampled).count();
    assert!((share(sampled_of_a) - 10.0).abs() < 1.0, "{sampled_of_a}");
    assert!(notes.iter().all(|note| routing.shadow_of(note, "b").is_none()));
    assert_eq!(self::routing(&BOTH).shadow_of("Note.", "medical-ie@0123abcd"), None);
}
