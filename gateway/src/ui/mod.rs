//! The page `/ui` and the review file: HTML, CSS and plain JavaScript modules of this folder, embedded unchanged.
//!
//! There is no build step and no external resource. This module does not use HTTP: `http/ui` serves the page, and
//! `gateway extract` writes the review file.

mod review;
#[cfg(test)]
mod tests;

pub use review::ReviewWriter;

/// A file of the page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asset {
    pub(crate) name: &'static str,
    /// The media type.
    pub(crate) kind: &'static str,
    pub(crate) body: &'static str,
}

/// Facts about the service that the page needs before its first request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// Longest note, in code points.
    pub(crate) max_note_chars: usize,
    /// Name of the engine that reads notes.
    pub(crate) engine: &'static str,
    /// Whether the service requires a key.
    pub(crate) guarded: bool,
    /// Whether the service transcribes recordings.
    pub(crate) dictation: bool,
    /// Whether the service reads scans.
    pub(crate) scans: bool,
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

const fn module(name: &'static str, body: &'static str) -> Asset {
    Asset { name, kind: JAVASCRIPT, body }
}

const CORRECTIONS: Asset = module("corrections.js", include_str!("corrections.js"));
const DECISIONS: Asset = module("decisions.js", include_str!("decisions.js"));
const DECISION_BOOK: Asset = module("decision-book.js", include_str!("decision-book.js"));
const DECISION_PANEL: Asset = module("decision-panel.js", include_str!("decision-panel.js"));
const DOWNLOAD: Asset = module("download.js", include_str!("download.js"));
const DOM: Asset = module("dom.js", include_str!("dom.js"));
const FIELDS: Asset = module("fields.js", include_str!("fields.js"));
const KEYS: Asset = module("keys.js", include_str!("keys.js"));
const READING: Asset = module("reading.js", include_str!("reading.js"));
const SPANS: Asset = module("spans.js", include_str!("spans.js"));
const TIMELINE: Asset = module("timeline.js", include_str!("timeline.js"));
const VALUE_FORM: Asset = module("value-form.js", include_str!("value-form.js"));
const VALUE_LIST: Asset = module("value-list.js", include_str!("value-list.js"));
const WORDS: Asset = module("words.js", include_str!("words.js"));
const STYLE: Asset = Asset { name: "style.css", kind: CSS, body: include_str!("style.css") };
const LEGEND: &str = include_str!("legend.html");
const CORRECTIONS_PANEL: &str = include_str!("corrections.html");
const PAGE: &str = include_str!("index.html");

/// The files that the page loads.
pub(crate) const FILES: [Asset; 40] = [
    module("app.js", include_str!("app.js")),
    module("ask.js", include_str!("ask.js")),
    module("batch.js", include_str!("batch.js")),
    module("calls.js", include_str!("calls.js")),
    module("clock.js", include_str!("clock.js")),
    module("dictation.js", include_str!("dictation.js")),
    module("scan.js", include_str!("scan.js")),
    module("transcript.js", include_str!("transcript.js")),
    module("doubt.js", include_str!("doubt.js")),
    module("examples.js", include_str!("examples.js")),
    module("files.js", include_str!("files.js")),
    module("found.js", include_str!("found.js")),
    module("gate.js", include_str!("gate.js")),
    module("many.js", include_str!("many.js")),
    module("modes.js", include_str!("modes.js")),
    module("note-list.js", include_str!("note-list.js")),
    module("notes-in.js", include_str!("notes-in.js")),
    module("patient.js", include_str!("patient.js")),
    module("problem.js", include_str!("problem.js")),
    module("sse.js", include_str!("sse.js")),
    module("states.js", include_str!("states.js")),
    module("table.js", include_str!("table.js")),
    module("theme.js", include_str!("theme.js")),
    CORRECTIONS,
    DECISIONS,
    DECISION_BOOK,
    DECISION_PANEL,
    DOWNLOAD,
    DOM,
    FIELDS,
    KEYS,
    READING,
    SPANS,
    TIMELINE,
    VALUE_FORM,
    VALUE_LIST,
    WORDS,
    STYLE,
    Asset { name: "page.css", kind: CSS, body: include_str!("page.css") },
    Asset { name: "icon.svg", kind: "image/svg+xml", body: include_str!("icon.svg") },
];

/// Returns the page for this service. The inserted values are numbers and fixed words of the gateway, so they need no
/// escaping.
pub(crate) fn page(service: &Service) -> String {
    PAGE.replace("{legend}", LEGEND)
        .replace("{corrections}", CORRECTIONS_PANEL)
        .replace("{max_note_chars}", &service.max_note_chars.to_string())
        .replace("{engine}", service.engine)
        .replace("{guarded}", yes_or_no(service.guarded))
        .replace("{dictation}", yes_or_no(service.dictation))
        .replace("{scans}", yes_or_no(service.scans))
}

const fn yes_or_no(holds: bool) -> &'static str {
    if holds { "yes" } else { "no" }
}
