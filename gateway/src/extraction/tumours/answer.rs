//! The tumours of a note as an answer shows them.

use std::ops::Range;

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    super::{Code, CodeTable, Field, Note, OffsetUnit, Readable, StatedDate, codes},
    NamedTumour, TumourRole, Tumours, side,
};

/// Maximum number of places that an answer shows of one tumour. Each further one is left out.
const MOST_PLACES: usize = 8;

/// A tumour that the note names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Tumour {
    /// The id in this answer: `t1`, `t2` and so on, in the order in which the note names them.
    #[schema(example = "t1")]
    pub id: String,
    /// Its most specific name in the note.
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
    /// What the note says about it. If no tumour is `index`, the note does not say which one it is about, and the seven
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

/// Returns the tumours as an answer shows them. `code_table`: the codes of the operator's files. `date_near` returns
/// the date of a name in the readable text.
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
            laterality: tumour.organ.and_then(|organ| {
                let is_only = tumours.named().iter().filter(|other| other.organ == Some(organ)).count() == 1;
                side::of(text, organ, tumour.places.get(..MOST_PLACES).unwrap_or(&tumour.places), is_only)
            }),
            codes: codes::with_files(Field::CancerType, &tumour.name, code_table),
            role: tumour.role,
            date: tumour.places.iter().take(MOST_PLACES).find_map(&date_near),
            evidence: evidence.collect(),
        }
    };
    tumours.named().iter().enumerate().map(one).collect()
}
