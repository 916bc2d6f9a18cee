//! Signs of tumours that an engine finds in a text: their names, and words that belong to tumours of one organ.

use std::{fmt, ops::Range};

use super::super::{Context, Note};

/// A place where the text names a malignancy of the patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TumourMention {
    /// The name as it is written in a record: "lung adenocarcinoma".
    pub(crate) name: String,
    /// What distinguishes its tumour from others: the organ, the group of blood and lymph, or else the name.
    pub(crate) kind: &'static str,
    /// The organ, if the words name it.
    pub(crate) organ: Option<&'static str>,
    /// Whether the name says more than "cancer of this organ".
    pub(crate) histology: bool,
    /// Whether the note calls it past.
    pub(crate) past: bool,
    /// Whether the note states it as a fact, and not as a suspicion.
    pub(crate) certain: bool,
    /// Its byte range in the text.
    pub(crate) range: Range<usize>,
}

/// What words state about the tumour that they refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TumourReference {
    /// Its kind: "the bladder tumour".
    Kind(&'static str),
    /// A word of its name: "the sarcoma".
    Histology(&'static str),
}

/// Signs of tumours that an engine finds in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TumourSigns {
    /// The names, in the order of the text.
    pub(crate) mentions: Vec<TumourMention>,
    /// Words that refer to a tumour without its name: the byte range, in the order of the text.
    pub(crate) references: Vec<(Range<usize>, TumourReference)>,
    /// Treatments and markers that count for the only tumour of their kinds, in a unit that names no tumour, such as a
    /// prostatectomy: the byte range and the kinds, in the order of the text.
    pub(crate) bound_words: Vec<(Range<usize>, Vec<&'static str>)>,
    /// Organs that say what a sentence refers to ("Rectal: CAPOX.", "histology of the sigmoid"): the byte range and the
    /// kind, in the order of the text.
    pub(crate) organ_labels: Vec<(Range<usize>, &'static str)>,
    /// Acronyms that mean something else, such as the ER of "went to the ER" and the AC of "AC joint": byte ranges, in
    /// the order of the text. They support no value.
    pub(crate) homonyms: Vec<Range<usize>>,
}

/// Finds signs of tumours in texts.
pub(crate) trait TumourReader: Send + Sync + fmt::Debug {
    /// Returns the signs of tumours in a readable text with this context.
    fn signs(&self, text: &Note, context: &Context<'_>) -> TumourSigns;
}
