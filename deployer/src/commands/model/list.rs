//! Prints the models of the host, what answers, and the record.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    config::Adapter,
    console::{duration, since},
    context::DeployContext,
    script::{ModelsEntry, ModelsFound, Route},
};

#[derive(Serialize)]
struct ListedModel {
    name: String,
    source: String,
    /// The share of the notes for the public name, in percent.
    percent: u32,
    /// Whether the model server lists it; null: it does not answer, or the model is not on the host.
    served: Option<bool>,
    on_host: bool,
    configured: bool,
}

pub(super) fn print<P>(context: &DeployContext<'_, P>, found: &ModelsFound) {
    let models = models(found, &context.settings.model.adapters);
    let (route, entries) = (Route::of(&found.route), found.entries());
    let last = entries.last();
    let history: Vec<Value> = entries.iter().map(entry_as_json).collect();
    context.console.result(&json!({
        "public_name": found.served_name,
        "route": found.route,
        "since": last.map(|entry| entry.at),
        "operator": last.map(|entry| &entry.operator),
        "scores": last.map(|entry| scores_as_json(&entry.scores)),
        "former": Some(&found.former).filter(|former| !former.is_empty()),
        "cut_off": Some(&found.changing).filter(|changing| !changing.is_empty()),
        "models": models,
        "history": history,
    }));
    let answers = match &route {
        Route::Rules => "the rules; no model is asked".to_owned(),
        Route::Configured if found.words.is_empty() => "the model of that name".to_owned(),
        Route::Configured => Route::of(&found.words).to_string(),
        route @ Route::Models(_) => route.to_string(),
    };
    let by = last
        .map_or_else(String::new, |entry| format!(", since {} ago, by {}", duration(since(entry.at)), entry.operator));
    context.console.data(&format!("{}: {answers}{by}", found.served_name));
    for model in &models {
        context.console.data(&line(model));
    }
    for entry in entries.iter().rev() {
        context.console.data(&history_line(entry));
    }
    warn(context, found);
    context.console.next(match (&route, models.len()) {
        (Route::Rules, _) => "deployer model rollback lets the model answer again.",
        (_, 0 | 1) => "[[model.adapters]] in the configuration, then deployer up, serves further ones; deployer/docs/models.md has the steps.",
        _ => "deployer model use NAME@REVISION --eval GOLD.jsonl lets another one answer.",
    });
}

fn warn<P>(context: &DeployContext<'_, P>, found: &ModelsFound) {
    if !found.changing.is_empty() {
        context.console.warn(&format!(
            "a change to {} was interrupted: the gateway may answer with it. Run it again, which completes it, or deployer \
             restart --service gateway, which returns to what answered before.",
            Route::of(&found.changing)
        ));
    }
    if found.chosen != found.route {
        context.console.warn(&format!(
            "{} was chosen, but the release does not serve it: the models in the settings of the release answer.",
            Route::of(&found.chosen)
        ));
    }
}

/// Returns the models of the host, then those that only the configuration has.
fn models(found: &ModelsFound, configured: &[Adapter]) -> Vec<ListedModel> {
    let percent = |name: &str| {
        let words = if found.route == "rules" { "" } else { found.words.as_str() };
        let share = words.split(' ').filter_map(|word| word.rsplit_once('=')).find(|(model, _)| *model == name);
        share.and_then(|(_, percent)| percent.parse().ok()).unwrap_or(0)
    };
    let is_configured = |name: &str| configured.iter().any(|adapter| adapter.served_name() == name);
    let on_host = found.adapters();
    let mut models: Vec<ListedModel> = on_host
        .iter()
        .map(|(name, source, served)| ListedModel {
            name: (*name).to_owned(),
            source: (*source).to_owned(),
            percent: percent(name),
            served: *served,
            on_host: true,
            configured: is_configured(name),
        })
        .collect();
    let new = configured.iter().filter(|adapter| !on_host.iter().any(|(name, ..)| *name == adapter.served_name()));
    models.extend(new.map(|adapter| ListedModel {
        name: adapter.served_name(),
        source: adapter.repo.clone(),
        percent: 0,
        served: None,
        on_host: false,
        configured: true,
    }));
    models
}

fn line(model: &ListedModel) -> String {
    let state = match (model.on_host, model.configured, model.served) {
        (false, ..) => "not on the host: the next up serves it",
        (true, _, Some(false)) => "NOT served",
        (true, _, None) => "not known: the model server does not answer",
        (true, false, Some(true)) => "served; not in the configuration: the next up drops it",
        (true, true, Some(true)) => "served",
    };
    format!("  {:<24} {:>3} %  {state}", model.name, model.percent)
}

fn history_line(entry: &ModelsEntry) -> String {
    let scores = if entry.scores.is_empty() { String::new() } else { format!("; {}", scores(&entry.scores)) };
    format!(
        "  {:>9} ago  {:<8} {} -> {}, by {}{scores}",
        duration(since(entry.at)),
        entry.action,
        Route::of(&entry.from),
        Route::of(&entry.route),
        entry.operator
    )
}

fn entry_as_json(entry: &ModelsEntry) -> Value {
    json!({"at": entry.at, "action": entry.action, "route": entry.route, "from": entry.from,
        "scores": scores_as_json(&entry.scores), "operator": entry.operator})
}

/// The words `NAME=VALUE` of a score. The first two are the models.
fn pairs(scores: &str) -> Vec<(&str, &str)> {
    scores.split(' ').filter_map(|word| word.rsplit_once('=')).collect()
}

/// Returns the scores for the operator.
pub(super) fn scores(scores: &str) -> String {
    match pairs(scores).as_slice() {
        [(new, new_score), (old, old_score), (_, difference), (_, low), (_, high), (_, notes)] => format!(
            "F1 {new} {new_score}, {old} {old_score}; difference {difference}, 95 % interval {low} to {high}, {notes} notes"
        ),
        _ => scores.to_owned(),
    }
}

/// Returns the scores as JSON, or null without any.
pub(super) fn scores_as_json(scores: &str) -> Value {
    let number = |text: &str| text.parse::<f64>().ok();
    match pairs(scores).as_slice() {
        [(new, new_score), (old, old_score), (_, difference), (_, low), (_, high), (_, notes)] => json!({
            "model": new, "f1": number(new_score), "compared_with": old, "f1_of_that": number(old_score),
            "difference": number(difference), "interval_95": [number(low), number(high)],
            "notes": notes.parse::<u64>().ok(),
        }),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::{ModelsFound, history_line, line, models, scores, scores_as_json};
    use crate::config::Adapter;

    const SCORES: &str = "b@89ef4567=0.9120 a@0123abcd=0.9340 difference=-0.0220 low=-0.0410 high=0.0030 notes=120";

    #[test]
    fn scores_are_words_and_json() {
        assert_eq!(
            scores(SCORES),
            "F1 b@89ef4567 0.9120, a@0123abcd 0.9340; difference -0.0220, 95 % interval -0.0410 to 0.0030, 120 notes"
        );
        let json = scores_as_json(SCORES);
        assert_eq!((json["f1"].as_f64(), json["interval_95"][1].as_f64()), (Some(0.912), Some(0.003)), "{json}");
        assert!(scores_as_json("").is_null());
    }

    #[test]
    fn each_model_says_whether_it_is_served() {
        let found = ModelsFound {
            route: "a@0123abcd=90 b@89ef4567=10".to_owned(),
            words: "a@0123abcd=90 b@89ef4567=10".to_owned(),
            adapters: ["a@0123abcd o/a@0123 yes", "b@89ef4567 o/b@89ef no", "d@00000000 /d unknown"]
                .map(str::to_owned)
                .to_vec(),
            ..ModelsFound::default()
        };
        let configured = |name: &str, revision: &str| Adapter {
            name: name.to_owned(),
            repo: "o/x".to_owned(),
            revision: revision.repeat(5),
            rank: None,
            base: None,
        };
        let configured = [configured("b", "89ef4567"), configured("c", "aaaa1111")];
        let lines: Vec<String> = models(&found, &configured).iter().map(line).collect();
        assert_eq!(
            lines,
            [
                "  a@0123abcd                90 %  served; not in the configuration: the next up drops it",
                "  b@89ef4567                10 %  NOT served",
                "  d@00000000                 0 %  not known: the model server does not answer",
                "  c@aaaa1111                 0 %  not on the host: the next up serves it",
            ]
        );
        let rules = ModelsFound { route: "rules".to_owned(), ..found };
        assert!(models(&rules, &configured).iter().all(|model| model.percent == 0));
    }

    #[test]
    fn the_record_names_both_and_the_scores() {
        let entry = crate::script::ModelsEntry {
            at: crate::console::since(600),
            action: "use".to_owned(),
            route: "b@89ef4567=100".to_owned(),
            from: "configured".to_owned(),
            scores: SCORES.to_owned(),
            operator: "ada".to_owned(),
        };
        let line = history_line(&entry);
        assert!(
            line.contains(
                "10 min ago  use      what the configuration says -> b@89ef4567, by ada; F1 b@89ef4567 0.9120"
            ),
            "{line}"
        );
    }
}
