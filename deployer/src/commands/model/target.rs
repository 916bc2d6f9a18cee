//! The models that the operator names, and whether the host serves them.

use crate::{
    failure::Failure,
    script::{ModelsFound, Route},
};

/// A model that should answer, with its share if the operator gave one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ModelShare {
    /// `NAME@REV8`.
    pub(super) name: String,
    /// The share in percent, 1 to 100.
    pub(super) percent: Option<u32>,
}

/// Parses `NAME@REVISION`, optionally followed by `=PERCENT`. A full commit is cut to the 8 digits of the name.
pub(super) fn parse(text: &str) -> Result<ModelShare, String> {
    let (name, percent) = text.split_once('=').map_or((text, None), |(name, percent)| (name, Some(percent)));
    let percent = percent
        .map(|percent| {
            let is_number = percent.bytes().all(|byte| byte.is_ascii_digit()) && !percent.starts_with('0');
            percent
                .parse::<u32>()
                .ok()
                .filter(|percent| is_number && (1..=100).contains(percent))
                .ok_or_else(|| "a share is a whole number from 1 to 100, as in medical-ie@0123abcd=90".to_owned())
        })
        .transpose()?;
    let Some((plain, revision)) = name.rsplit_once('@') else {
        return Err(
            "a model is named with its revision, as in medical-ie@0123abcd: a name alone may refer to other weights \
                    tomorrow. deployer model list shows the names"
                .to_owned(),
        );
    };
    let is_hex = revision.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if !is_hex || !matches!(revision.len(), 8 | 40) {
        return Err("a revision is the first 8 digits of the commit, as in medical-ie@0123abcd".to_owned());
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !(1..=64).contains(&plain.len()) || !plain.bytes().all(allowed) || plain.contains("..") {
        return Err("a model's name has 1 to 64 letters, digits and . _ -".to_owned());
    }
    let revision: String = revision.chars().take(8).collect();
    Ok(ModelShare { name: format!("{plain}@{revision}"), percent })
}

/// Returns the route of the named models; an error if their shares are not 100 in all.
pub(super) fn route(models: &[ModelShare]) -> Result<Route, Failure> {
    let refuse = |what: String| {
        Err(Failure::usage(
            format!("{what}; nothing was changed"),
            "Name one model, or several with their shares: deployer model use medical-ie@0123abcd=90 medical-ie@89ef4567=10",
        ))
    };
    let mut words: Vec<String> = Vec::new();
    let mut sum = 0;
    for (index, model) in models.iter().enumerate() {
        let Some(percent) = model.percent.or((models.len() == 1).then_some(100)) else {
            return refuse(format!("{} has no share, and several models are named", model.name));
        };
        if models.iter().take(index).any(|other| other.name == model.name) {
            return refuse(format!("{} is named twice", model.name));
        }
        sum += percent;
        words.push(format!("{}={percent}", model.name));
    }
    if sum != 100 {
        return refuse(format!("the shares sum to {sum}, not to 100"));
    }
    if words.len() > 16 {
        return refuse("at most 16 models may answer".to_owned());
    }
    Ok(Route::Models(words.join(" ")))
}

/// Returns the names of a route's models.
pub(super) fn names(route: &str) -> Vec<&str> {
    route.split(' ').filter_map(|word| word.rsplit_once('=')).map(|(name, _)| name).collect()
}

/// Returns the models of a route that do not answer now.
pub(super) fn new_models(route: &Route, found: &ModelsFound) -> Vec<String> {
    let now = names(&found.words);
    names(route.as_str()).into_iter().filter(|name| !now.contains(name)).map(str::to_owned).collect()
}

/// Returns an error unless the host serves all models of a route.
pub(super) fn check_served(route: &Route, found: &ModelsFound) -> Result<(), Failure> {
    let Route::Models(words) = route else { return Ok(()) };
    let adapters = found.adapters();
    for name in names(words) {
        let served = adapters.iter().find(|(adapter, ..)| *adapter == name).map(|(.., served)| *served);
        let (what, next) = match served {
            Some(Some(true)) => continue,
            Some(Some(false)) => (
                format!(
                    "the model server does not list {name}, although it is configured to serve it; nothing was changed"
                ),
                "deployer logs --service vllm shows why.".to_owned(),
            ),
            Some(None) => (
                format!(
                    "the model server does not answer, so it is not known whether it serves {name}; nothing was changed"
                ),
                "deployer status shows its progress; deployer model rules answers without it.".to_owned(),
            ),
            None => (
                format!("{name} is not served; nothing was changed"),
                if adapters.is_empty() {
                    "Put it into [[model.adapters]] of the configuration and run deployer up; deployer/docs/models.md has the steps.".to_owned()
                } else {
                    let names: Vec<&str> = adapters.iter().map(|(name, ..)| *name).collect();
                    format!(
                        "Served are {}. For another one put it into [[model.adapters]] and run deployer up.",
                        names.join(", ")
                    )
                },
            ),
        };
        return Err(Failure::unchanged(what, next));
    }
    if !found.movable {
        return Err(Failure::unchanged(
            "the settings of the release have no line for the models; nothing was changed",
            "Run deployer up, which writes it.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{ModelsFound, Route, check_served, new_models, parse, route};

    #[test]
    fn a_model_is_named_with_its_revision() {
        for (text, expected) in [
            ("medical-ie@0123abcd", Ok(("medical-ie@0123abcd", None))),
            ("a.b_c@0123abcd=90", Ok(("a.b_c@0123abcd", Some(90)))),
            ("a@0123abcd0123abcd0123abcd0123abcd0123abcd", Ok(("a@0123abcd", None))),
            ("medical-ie", Err("with its revision")),
            ("medical-ie=90", Err("with its revision")),
            ("medical-ie@main", Err("first 8 digits")),
            ("medical-ie@0123ABCD", Err("first 8 digits")),
            ("medical-ie@0123abc", Err("first 8 digits")),
            ("@0123abcd", Err("1 to 64 letters")),
            ("../x@0123abcd", Err("1 to 64 letters")),
            ("a b@0123abcd", Err("1 to 64 letters")),
            ("a@0123abcd=0", Err("whole number")),
            ("a@0123abcd=101", Err("whole number")),
            ("a@0123abcd=+9", Err("whole number")),
            ("a@0123abcd=", Err("whole number")),
            ("a@0123abcd=1e1", Err("whole number")),
        ] {
            match (parse(text), expected) {
                (Ok(found), Ok((name, percent))) => assert_eq!((found.name.as_str(), found.percent), (name, percent)),
                (Err(why), Err(expected)) => assert!(why.contains(expected), "{text}: {why}"),
                (found, expected) => panic!("{text}: {found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn shares_sum_to_100() {
        let parsed = |texts: &[&str]| texts.iter().map(|text| parse(text).unwrap()).collect::<Vec<_>>();
        for (texts, expected) in [
            (&["a@0123abcd"][..], Ok("a@0123abcd=100")),
            (&["a@0123abcd=90", "b@0123abcd=10"], Ok("a@0123abcd=90 b@0123abcd=10")),
            (&["a@0123abcd=90"], Err("sum to 90")),
            (&["a@0123abcd=90", "b@0123abcd=20"], Err("sum to 110")),
            (&["a@0123abcd", "b@0123abcd=10"], Err("has no share")),
            (&["a@0123abcd=50", "a@0123abcd=50"], Err("named twice")),
        ] {
            match (route(&parsed(texts)), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.as_str(), expected),
                (Err(failure), Err(expected)) => assert!(failure.what.contains(expected), "{texts:?}: {failure}"),
                (found, expected) => panic!("{texts:?}: {found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn what_is_not_served_is_refused() {
        let adapters = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let (yes, no, unknown) = ("a@0123abcd o/a@0123 yes", "a@0123abcd o/a@0123 no", "a@0123abcd /a unknown");
        for (adapters, movable, expected) in [
            (adapters(&[yes]), true, None),
            (adapters(&[yes]), false, Some("no line for the models")),
            (adapters(&[no]), true, Some("does not list a@0123abcd")),
            (adapters(&[unknown]), true, Some("does not answer")),
            (adapters(&["b@0123abcd o/b@1 yes"]), true, Some("a@0123abcd is not served")),
            (adapters(&[]), false, Some("a@0123abcd is not served")),
        ] {
            let found = ModelsFound { adapters, movable, words: "b@0123abcd=100".to_owned(), ..ModelsFound::default() };
            let route = Route::of("a@0123abcd=90 a@0123abcd=10");
            match (check_served(&route, &found), expected) {
                (Ok(()), None) => {}
                (Err(failure), Some(expected)) => assert!(failure.what.contains(expected), "{failure}"),
                (result, expected) => panic!("{found:?}: {result:?}, not {expected:?}"),
            }
            assert!(check_served(&Route::Rules, &found).is_ok());
        }
        let found = ModelsFound { words: "b@0123abcd=100".to_owned(), ..ModelsFound::default() };
        assert_eq!(new_models(&Route::of("a@0123abcd=90 b@0123abcd=10"), &found), ["a@0123abcd"]);
    }
}
