//! The paths of a model server that the gateway calls. Their URLs are parsed only once, because parsing one for each
//! call would cost more than a microsecond.

use url::Url;

/// A path of a model server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    ChatCompletions,
    Completions,
    Tokenize,
    Health,
    Models,
    Metrics,
}

/// The URLs of one server.
#[derive(Debug)]
pub(super) struct Urls {
    chat_completions: Url,
    completions: Url,
    tokenize: Url,
    health: Url,
    models: Url,
    metrics: Url,
}

impl Urls {
    /// Returns the URLs below `base`, which may itself have a path.
    pub(super) fn below(base: &Url) -> Self {
        let prefix = base.path().trim_end_matches('/');
        let at = |path: &str| {
            let mut url = base.clone();
            url.set_path(&[prefix, path].concat());
            url
        };
        Self {
            chat_completions: at("/v1/chat/completions"),
            completions: at("/v1/completions"),
            tokenize: at("/tokenize"),
            health: at("/health"),
            models: at("/v1/models"),
            metrics: at("/metrics"),
        }
    }

    pub(super) fn of(&self, path: Path) -> Url {
        let url = match path {
            Path::ChatCompletions => &self.chat_completions,
            Path::Completions => &self.completions,
            Path::Tokenize => &self.tokenize,
            Path::Health => &self.health,
            Path::Models => &self.models,
            Path::Metrics => &self.metrics,
        };
        url.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_appended_to_any_base() {
        for (base, expected) in [
            ("http://vllm:8000", "http://vllm:8000/v1/chat/completions"),
            ("http://vllm:8000/", "http://vllm:8000/v1/chat/completions"),
            ("https://host/vllm/", "https://host/vllm/v1/chat/completions"),
        ] {
            let urls = Urls::below(&Url::parse(base).unwrap());
            assert_eq!(urls.of(Path::ChatCompletions).as_str(), expected);
        }
    }
}
