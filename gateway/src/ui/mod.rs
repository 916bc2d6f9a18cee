//! The page `/ui` and the review file: HTML, CSS and plain JavaScript modules, embedded as they stand here. No build
//! step, nothing from elsewhere. Knows no HTTP: `http/ui` serves the page, `gateway extract` writes the review.

mod review;
#[cfg(test)]
mod tests;

pub use review::ReviewWriter;

/// A file of the page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asset {
    pub(crate) name: &'static str,
    /// Its media type.
    pub(crate) kind: &'static str,
    pub(crate) body: &'static str,
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

const fn module(name: &'static str, body: &'static str) -> Asset {
    Asset { name, kind: JAVASCRIPT, body }
}

const DOM: Asset = module("dom.js", include_str!("dom.js"));
const FIELDS: Asset = module("fields.js", include_str!("fields.js"));
const READING: Asset = module("reading.js", include_str!("reading.js"));
const SPANS: Asset = module("spans.js", include_str!("spans.js"));
const WORDS: Asset = module("words.js", include_str!("words.js"));
const STYLE: Asset = Asset { name: "style.css", kind: "text/css; charset=utf-8", body: include_str!("style.css") };
const LEGEND: &str = include_str!("legend.html");
