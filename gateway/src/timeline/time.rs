//! Times as far as they are known, and their order.

use std::cmp::Ordering;

use super::{DateSource, TimelineDate, reading::DateReading};

/// Returns the stated date if it can be ordered, else the date of the note.
pub(super) fn of(date: Option<&DateReading>, note_date: Option<&str>) -> Option<TimelineDate> {
    let stated = date.filter(|date| date.is_absolute());
    match stated {
        Some(date) => Some(TimelineDate { value: date.value.clone(), source: DateSource::Text }),
        None => note_date.map(|day| TimelineDate { value: day.to_owned(), source: DateSource::Note }),
    }
}

/// Returns the order of two times such as `2018`, `2018-03` and `2018-03-05`; `None` if they are not known exactly
/// enough: 2018 may be before or after March 2018.
pub(super) fn order(one: &str, other: &str) -> Option<Ordering> {
    let known = one.len().min(other.len());
    match one.get(..known).cmp(&other.get(..known)) {
        Ordering::Equal if one.len() != other.len() => None,
        order => Some(order),
    }
}

/// Returns whether two times may be the same: 2018 and March 2018.
pub(super) fn may_be_one(one: &str, other: &str) -> bool {
    matches!(order(one, other), None | Some(Ordering::Equal))
}

/// Orders times by what is known of them, a missing one last.
pub(super) fn sort_key(date: Option<&TimelineDate>) -> (bool, &str) {
    (date.is_none(), date.map_or("", |date| &date.value))
}
