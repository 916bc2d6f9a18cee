//! The organ of a study: "brain MRI showed two lesions".

use crate::rules::{lexicon::Mention, view::NoteView};

/// Returns the organ that was imaged: "brain MRI showed two lesions".
pub(super) fn imaged(view: &NoteView<'_>, word: &Mention) -> Option<&'static str> {
    const STUDIES: [(&str, &str); 9] = [
        ("brain mri", "brain"),
        ("mri brain", "brain"),
        ("mri of the brain", "brain"),
        ("imaging of the brain", "brain"),
        ("mri head", "brain"),
        ("cranial mri", "brain"),
        ("head ct", "brain"),
        ("bone scan", "bone"),
        ("bone scintigraphy", "bone"),
    ];
    let before = view.near(&(word.range.start..word.range.start), 120, 0);
    STUDIES.iter().filter_map(|(words, place)| before.rfind(words).map(|at| (at, *place))).max().map(|(_, place)| place)
}
