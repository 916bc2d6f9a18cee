//! The tumours of a note as an answer shows them.

use std::ops::Range;

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    super::{Code, CodeTable, Field, Note, OffsetUnit, Readable, StatedDate, codes},
    NamedTumour, TumourRole, Tumours,
};

/// The most places that an answer shows of one tumour. Each further one is left out.
const MOST_PLACES: usize = 8;

/// Organs of which a patient has two.
const PAIRED: [&str; 9] =
    ["breast", "lung", "kidney", "ureter", "ovary", "testis", "adrenal gland", "eye", "fallopian tube"];

/// Bytes before and after a name within which its side stands.
const SIDE_BEFORE: usize = 24;
const SIDE_AFTER: usize = 40;

/// A tumour that the note names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Tumour {
    /// The id in this answer: `t1`, `t2` and so on, in the order in which the note names them.
    #[schema(example = "t1")]
    pub id: String,
    /// Its most telling name in the note.
    #[schema(example = "lung adenocarcinoma")]
    pub cancer_type: String,
    /// The organ; null for malignancies of blood and lymph, and where the note does not name it.
    #[schema(required = true, example = "lung")]
    pub site: Option<&'static str>,
    /// The side of a paired organ: `left`, `right` or `bilateral`; null where the note does not say.
    #[schema(required = true, example = "left")]
    pub laterality: Option<&'static str>,
    /// The codes of its name in standard terminologies; empty if the name is neither in the gateway's lists nor in
    /// the operator's files.
    pub codes: Vec<Code>,
    /// What the note says of it. If no tumour is `index`, the note does not say which one it is about, and the seven
    /// fields hold the values of all.
    pub role: TumourRole,
    /// The date beside the first of its names that has one: mostly that of its diagnosis; null if none has.
    #[schema(required = true)]
    pub date: Option<StatedDate>,
    /// Where the note names it: the first eight places.
    pub evidence: Vec<TumourPlace>,
}

/// A place where the note names a tumour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TumourPlace {
    /// The words of the note.
    #[schema(example = "lung adenocarcinoma")]
    pub quote: String,
    /// The first position of the quote, in the unit of the request.
    #[schema(example = 20, minimum = 0)]
    pub start: usize,
    /// One past the last position of the quote.
    #[schema(example = 39, minimum = 0)]
    pub end: usize,
}

/// Returns the id of a tumour by its number from 0.
pub(in crate::extraction) fn id(number: usize) -> String {
    format!("t{}", number + 1)
}

/// Returns the tumours as an answer shows them. `code_table`: the codes of the operator's files. `date_near` returns the date of a name in the readable text.
pub(in crate::extraction) fn shown(
    note: &Note,
    read: &Readable<'_>,
    tumours: &Tumours,
    unit: OffsetUnit,
    code_table: Option<&CodeTable>,
    date_near: impl Fn(&Range<usize>) -> Option<StatedDate>,
) -> Vec<Tumour> {
    let text = read.note().as_str();
    let one = |(number, tumour): (usize, &NamedTumour)| {
        let mut offsets = note.offsets(unit);
        let places = tumour.places.iter().take(MOST_PLACES);
        let evidence = places.filter_map(|place| {
            let origin = read.origin(place.clone());
            let span = note.span(origin.start, origin.end)?;
            let (start, end) = (offsets.convert(origin.start), offsets.convert(origin.end));
            Some(TumourPlace { quote: span.quote().to_owned(), start, end })
        });
        Tumour {
            id: id(number),
            cancer_type: tumour.name.clone(),
            site: tumour.organ,
            laterality: tumour.organ.filter(|organ| PAIRED.contains(organ)).and_then(|_| side(text, &tumour.places)),
            codes: codes::with_files(Field::CancerType, &tumour.name, code_table),
            role: tumour.role,
            date: tumour.places.iter().take(MOST_PLACES).find_map(&date_near),
            evidence: evidence.collect(),
        }
    };
    tumours.named().iter().enumerate().map(one).collect()
}

/// Returns the side that stands beside the names of a tumour; `None` if none or different ones do.
fn side(text: &str, places: &[Range<usize>]) -> Option<&'static str> {
    const SIDES: [&str; 3] = ["left", "right", "bilateral"];
    let mut found: Option<&'static str> = None;
    for place in places.iter().take(MOST_PLACES) {
        let from = (place.start.saturating_sub(SIDE_BEFORE)..=place.start).find(|at| text.is_char_boundary(*at))?;
        let to = (place.end..=text.len().min(place.end + SIDE_AFTER)).rev().find(|at| text.is_char_boundary(*at))?;
        let before = text.get(from..place.start)?.rsplit(['.', ';', ',', '\n']).next().unwrap_or_default();
        let after = text.get(place.start..to)?.split(['.', ';', ',', '\n', '(']).next().unwrap_or_default();
        let words = [before, after].into_iter().flat_map(|words| words.split(|c: char| !c.is_alphabetic()));
        for word in words {
            let side = SIDES.into_iter().find(|side| side.eq_ignore_ascii_case(word));
            match (found, side) {
                (Some(known), Some(side)) if known != side => return None,
                (None, Some(side)) => found = Some(side),
                _ => {}
            }
        }
    }
    found
}
