//! Compares a model with the one that answers now, on the operator's labelled notes: both read them in the running
//! service, and `gateway eval` scores the answers. The notes and answers stay on this machine and in the service.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;

use super::{answers::AnswersFolder, list};
use crate::failure::RUN_AGAIN;
use crate::{
    apply::boot,
    child,
    context::{DeployContext, Ports},
    failure::Failure,
    script::ModelsFound,
    smoke::Url,
};

/// Pause between two checks of a running child process.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(clap::Args)]
pub(super) struct Args {
    /// Your labelled notes, JSON lines {"id", "text", "expected"}: a model that reads them worse than the present one
    /// is refused
    #[arg(long = "eval", value_name = "GOLD.jsonl", requires = "api_key_file")]
    gold: Option<PathBuf>,
    /// A file that contains only an API key, on one line, with which the notes are read
    #[arg(long, value_name = "FILE", requires = "gold")]
    api_key_file: Option<PathBuf>,
    /// The service's address (default: that of the box)
    #[arg(long, requires = "gold")]
    url: Option<String>,
    /// Send the notes and the key over plain HTTP even where others can read them on their way
    #[arg(long, requires = "gold")]
    plain_http: bool,
    /// The program `gateway` of this machine, which sends the notes and scores the answers
    #[arg(long, value_name = "PROGRAM", default_value = "gateway")]
    gateway: PathBuf,
}

/// What an evaluation needs.
pub(super) struct Evaluation {
    gold: PathBuf,
    key_file: PathBuf,
    url: Option<String>,
    plain_http: bool,
    gateway: PathBuf,
    /// The labelled notes, each line with an id, by which an answer is matched with its labels.
    notes: String,
}

impl Args {
    /// Returns what the evaluation needs; `None` if none is asked for. Checks the files before anything else is done.
    pub(super) fn read(&self) -> Result<Option<Evaluation>, Failure> {
        let (Some(gold), Some(key_file)) = (&self.gold, &self.api_key_file) else { return Ok(None) };
        crate::commands::smoke::read_key(key_file)?;
        let shown = gold.display();
        let text = fs::read_to_string(gold).map_err(|error| {
            Failure::usage(
                format!("{shown} cannot be read: {error}; nothing was changed"),
                "Name a file of labelled notes.",
            )
        })?;
        // The gateway's own reader decides. It names the line and the mistake, and no text.
        let evaluation = Evaluation {
            gold: gold.clone(),
            key_file: key_file.clone(),
            url: self.url.clone(),
            plain_http: self.plain_http,
            gateway: self.gateway.clone(),
            notes: with_ids(&text),
        };
        Ok(Some(evaluation))
    }
}

/// Returns labelled notes with an id and a `text` in each line: two programs read the file, and call notes without an
/// id differently. A line that is not an object stays as it is.
fn with_ids(text: &str) -> String {
    let line = |(index, line): (usize, &str)| match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(mut note)) => {
            note.entry("id").or_insert_with(|| (index + 1).to_string().into());
            if let (None, Some(text)) = (note.get("text"), note.get("input").cloned()) {
                note.insert("text".to_owned(), text);
            }
            format!("{}\n", Value::Object(note))
        }
        _ => format!("{line}\n"),
    };
    text.lines().enumerate().map(line).collect()
}

/// Compares each of the new models with the one that answers most notes now. Returns the scores of the last one as the
/// host records them. Returns an error if a model is worse, or if the comparison says nothing.
pub(super) async fn compare<P: Ports>(
    context: &DeployContext<'_, P>,
    evaluation: &Evaluation,
    new: &[String],
    found: &ModelsFound,
) -> Result<String, Failure> {
    let present = present(found)?;
    if new.is_empty() {
        return Err(Failure::usage(
            "all of these models answer already, so there is nothing to compare; nothing was changed",
            "Omit --eval to change their shares.",
        ));
    }
    let url = match &evaluation.url {
        Some(url) => url.clone(),
        None => crate::commands::url::of(&context.settings, &boot::describe_instance(context).await?)?,
    };
    check_encrypted(&url, evaluation.plain_http)?;
    let folder = AnswersFolder::new()?;
    let own = evaluation.gold.to_string_lossy().into_owned();
    // Bad labels are found before a note is sent.
    evaluation.run(context, &folder, "check the labels", &["eval", "--gold", &own, "--review-harm"], None).await?;
    let gold = folder.path().join("gold.jsonl").to_string_lossy().into_owned();
    fs::write(&gold, &evaluation.notes).map_err(|error| {
        Failure::unchanged(format!("{gold} cannot be written: {error}; nothing was changed"), "Free disk space.")
    })?;
    let before = evaluation.read_notes(context, &url, &folder, "present", &present).await?;
    let mut kept = String::new();
    for (index, model) in new.iter().enumerate() {
        let after = evaluation.read_notes(context, &url, &folder, &format!("new-{index}"), model).await?;
        let scored = folder.path().join(format!("scores-{index}.json"));
        let arguments = ["eval", "--gold", &gold, "--predictions", &after, "--against", &before, "--format", "json"];
        evaluation.run(context, &folder, "score the answers", &arguments, Some(&scored)).await?;
        kept = judged(&fs::read_to_string(&scored).unwrap_or_default(), model, &present)?;
        context.console.say(&list::scores(&kept));
        if is_worse(&kept) {
            context.console.result(&serde_json::json!({"outcome": "refused", "scores": list::scores_as_json(&kept)}));
            return Err(Failure::unchanged(
                format!("{model} reads your notes worse than {present}: {}; nothing was changed", list::scores(&kept)),
                "The whole interval is below 0. Without --eval the change is possible anyway.",
            ));
        }
    }
    Ok(kept)
}

/// Refuses an address to which the notes and the key would go unencrypted, unless the operator asks for that.
fn check_encrypted(url: &str, plain_http: bool) -> Result<(), Failure> {
    let parsed = Url::parse(url).map_err(|why| {
        Failure::usage(
            format!("the service's address is refused: {why}; nothing was changed"),
            "Correct --url or gateway.domain.",
        )
    })?;
    if parsed.in_the_clear() && !plain_http {
        return Err(Failure::usage(
            format!(
                "{url} is plain HTTP: anyone on the network path could read the notes and the key; nothing was sent, and nothing \
                 was changed"
            ),
            "deployer port-forward opens a connection through Session Manager: pass it as --url http://127.0.0.1:PORT. The \
             profile tls gives the box HTTPS. --plain-http sends them anyway.",
        ));
    }
    Ok(())
}

/// Returns the model that answers most notes now.
fn present(found: &ModelsFound) -> Result<String, Failure> {
    if found.route == "rules" {
        return Err(Failure::unchanged(
            "the rules answer now, so no model can be asked for a comparison; nothing was changed",
            "deployer model rollback lets the model answer again.",
        ));
    }
    let shares = found.words.split(' ').filter_map(|word| word.rsplit_once('='));
    let most =
        shares.filter_map(|(name, share)| Some((share.parse::<u32>().ok()?, name))).max_by_key(|(share, _)| *share);
    Ok(most.map_or_else(|| found.served_name.clone(), |(_, name)| name.to_owned()))
}

impl Evaluation {
    /// Has the service read the notes with one model. Returns the file with its answers.
    async fn read_notes<P>(
        &self,
        context: &DeployContext<'_, P>,
        url: &str,
        folder: &AnswersFolder,
        name: &str,
        model: &str,
    ) -> Result<String, Failure> {
        let out = folder.path().join(format!("{name}.jsonl")).to_string_lossy().into_owned();
        let gold = folder.path().join("gold.jsonl").to_string_lossy().into_owned();
        let key = self.key_file.to_string_lossy().into_owned();
        let arguments = [
            "extract",
            &gold,
            "--server",
            url,
            "--api-key-file",
            &key,
            "--model",
            model,
            "--format",
            "jsonl",
            "--out",
            &out,
        ];
        self.run(context, folder, &format!("{model} reads your notes"), &arguments, None).await?;
        Ok(out)
    }

    /// Runs the gateway's program to its end. `out` gets its standard output.
    async fn run<P>(
        &self,
        context: &DeployContext<'_, P>,
        folder: &AnswersFolder,
        what: &str,
        arguments: &[&str],
        out: Option<&Path>,
    ) -> Result<(), Failure> {
        context.console.step(what);
        let mut command = Command::new(&self.gateway);
        command.args(arguments);
        folder.isolate(&mut command);
        let (mut program, mut lines) = child::start(&mut command).map_err(|error| {
            Failure::usage(
                format!("{} cannot be run: {error}; nothing was changed", self.gateway.display()),
                "The comparison needs the program gateway of this version on this machine: name it with --gateway.",
            )
        })?;
        let mut said: Vec<String> = Vec::new();
        let status = loop {
            if let Ok(Some(status)) = program.status() {
                break status;
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = context.interrupt.wait() => return Err(Failure::interrupted(
                    "interrupted while the models were compared; nothing was changed", RUN_AGAIN,
                )),
            }
        };
        lines.remaining(Duration::from_secs(2), |line| said.push(line)).await;
        if status.success() {
            if let Some(out) = out {
                fs::write(out, said.join("\n")).map_err(|error| {
                    Failure::unchanged(
                        format!("the scores cannot be written: {error}; nothing was changed"),
                        "Free disk space.",
                    )
                })?;
            }
            return Ok(());
        }
        let lines = said.split_off(said.len().saturating_sub(8));
        let failed = match status.code() {
            Some(3) => "some notes got no answer, so a score would say nothing",
            _ => "it failed",
        };
        let failure = Failure::unchanged(
            format!("{what}: {failed}; nothing was changed"),
            "The lines above are the output of the gateway's program. deployer smoke --api-key-file FILE asks the service.",
        );
        Err(Failure { lines, ..failure })
    }
}

/// Returns the scores of a comparison as the host records them.
fn judged(report: &str, model: &str, present: &str) -> Result<String, Failure> {
    let parsed = || -> Option<String> {
        // The output also contains what the program printed to standard error.
        let report = report.get(report.find('{')?..=report.rfind('}')?)?;
        let report: Value = serde_json::from_str(report).ok()?;
        let against = report.get("against")?;
        let number = |value: &Value| value.as_f64();
        let interval = against.get("difference_interval_95")?;
        Some(format!(
            "{model}={:.4} {present}={:.4} difference={:.4} low={:.4} high={:.4} notes={}",
            number(report.pointer("/micro/relaxed/f1")?)?,
            number(against.pointer("/micro/relaxed/f1")?)?,
            number(against.get("difference")?)?,
            number(interval.get(0)?)?,
            number(interval.get(1)?)?,
            report.get("notes")?.as_u64()?,
        ))
    };
    parsed().ok_or_else(|| {
        Failure::unchanged(
            "the gateway's program gave no scores of both models; nothing was changed",
            "The notes may have no label at all, or the program may be of another version: gateway eval --gold FILE shows more.",
        )
    })
}

/// Returns whether the whole interval of the difference is below 0.
fn is_worse(scores: &str) -> bool {
    let high = scores.split(' ').find_map(|word| word.strip_prefix("high="));
    high.and_then(|high| high.parse::<f64>().ok()).is_none_or(|high| high < 0.0)
}

#[cfg(test)]
mod tests {
    use super::{ModelsFound, check_encrypted, is_worse, judged, present, with_ids};

    #[test]
    fn every_labelled_note_has_an_id_and_a_text() {
        let written = with_ids("{\"id\": 7, \"text\": \"a\"}\n\n{\"input\": \"b\", \"output\": {}}\nnot json\n");
        let lines: Vec<&str> = written.lines().collect();
        assert_eq!((lines.len(), lines[1], lines[3]), (4, "", "not json"), "{written}");
        let note = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        assert_eq!((&note(lines[0])["id"], &note(lines[2])["id"]), (&7.into(), &"3".into()), "{written}");
        assert_eq!(note(lines[2])["text"], "b");
    }

    #[test]
    fn notes_go_unencrypted_only_where_the_operator_says_so() {
        for (url, plain_http, refused) in [
            ("https://notes.example.org", false, ""),
            ("http://127.0.0.1:8080", false, ""),
            ("http://localhost:8080", false, ""),
            ("http://203.0.113.7:8080", false, "is plain HTTP"),
            ("http://127.0.0.1.example.org", false, "is plain HTTP"),
            ("http://203.0.113.7:8080", true, ""),
            ("notes.example.org", true, "it must begin with http:// or https://"),
        ] {
            let words = check_encrypted(url, plain_http).map_or_else(|failure| failure.what, |()| String::new());
            assert!(words.contains(refused) && words.is_empty() == refused.is_empty(), "{url} {plain_http}: {words}");
        }
    }

    #[test]
    fn a_model_is_worse_if_the_whole_interval_is() {
        for (low, high, worse) in [(-0.04, -0.01, true), (-0.04, 0.01, false), (0.01, 0.03, false), (-0.04, 0.0, false)]
        {
            let report = serde_json::json!({"notes": 12, "micro": {"relaxed": {"f1": 0.9}}, "against":
                {"micro": {"relaxed": {"f1": 0.91}}, "difference": -0.01, "difference_interval_95": [low, high]}});
            let scores = judged(&report.to_string(), "b@89ef4567", "a@0123abcd").unwrap();
            assert!(scores.starts_with("b@89ef4567=0.9000 a@0123abcd=0.9100 difference=-0.0100 low="), "{scores}");
            assert_eq!(is_worse(&scores), worse, "{scores}");
        }
        assert!(is_worse("") && judged("{}", "a", "b").is_err() && judged("x", "a", "b").is_err());
    }

    #[test]
    fn the_present_model_is_the_one_with_most_notes() {
        let found = |route: &str, words: &str| ModelsFound {
            route: route.to_owned(),
            words: words.to_owned(),
            served_name: "medical-ie".to_owned(),
            ..ModelsFound::default()
        };
        assert_eq!(present(&found("configured", "")).unwrap(), "medical-ie");
        assert_eq!(present(&found("x", "a@0123abcd=40 b@89ef4567=60")).unwrap(), "b@89ef4567");
        assert!(present(&found("rules", "a@0123abcd=100")).unwrap_err().what.contains("the rules answer now"));
    }
}
