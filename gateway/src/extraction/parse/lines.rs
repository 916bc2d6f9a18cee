//! Reads records written as lines of the form `key: value`, plain or as a Markdown list. A line directly after such a
//! line that cannot be read is an error and never ignored, because it may continue the value above it.

use super::{
    Field, RepairCode, Unusable, builder::RecordBuilder, fence::is_fence, object::FoundRecord, string::opens, value,
};

const LIST_MARKS: [char; 5] = ['-', '*', '+', '\u{2022}', '#'];
/// Longer marks come first, because a shorter mark may be a prefix of a longer one.
const EMPHASIS: [&str; 5] = ["**", "__", "*", "_", "`"];

/// Finds the record in lines; a text has at most one.
pub(super) fn find(text: &str) -> Result<Vec<FoundRecord>, Unusable> {
    let mut builder = RecordBuilder::default();
    let mut at = 0..0;
    let mut ended = false;
    let mut after_pair = false;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if let Some(pair) = read_line(line) {
            if builder.is_empty() {
                builder.add_repair(RepairCode::KeyValueLines, None);
                at.start = offset;
            } else if ended {
                return Err(Unusable::Malformed);
            }
            if !pair.exact {
                builder.add_repair(RepairCode::KeySpelling, Some(pair.field));
            }
            builder.set_text(pair.field, plain_value(pair.value)?.to_owned())?;
            at.end = offset + line.trim_end().len();
            after_pair = true;
        } else if line.trim().is_empty() {
            after_pair = false;
        } else if !builder.is_empty() {
            if after_pair && !is_fence(line) {
                return Err(Unusable::Malformed);
            }
            ended = true;
        }
        offset += line.len();
    }
    if builder.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![FoundRecord { at, parsed: builder.finish()? }])
}

struct KeyValue<'text> {
    field: Field,
    exact: bool,
    value: &'text str,
}

/// Reads a line if it begins with a key of the record and a colon.
fn read_line(line: &str) -> Option<KeyValue<'_>> {
    let (mut key, mut value) = without_list_mark(line.trim()).split_once(':')?;
    key = key.trim();
    for mark in EMPHASIS {
        if let Some(emphasised) = key.strip_prefix(mark) {
            // `**Key**: value` or `**Key:** value`.
            if let Some(inner) = emphasised.strip_suffix(mark) {
                key = inner;
            } else {
                key = emphasised;
                value = value.strip_prefix(mark)?;
            }
            break;
        }
    }
    let (field, exact) = value::field_of(key)?;
    Some(KeyValue { field, exact, value: value.trim() })
}

fn without_list_mark(line: &str) -> &str {
    let numbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let item = if numbered.len() < line.len() {
        numbered.strip_prefix(['.', ')'])
    } else {
        Some(line.trim_start_matches('#')).filter(|rest| rest.len() < line.len()).or(line.strip_prefix(LIST_MARKS))
    };
    // `**Key` begins with emphasis, not with a list mark.
    item.filter(|item| item.starts_with(char::is_whitespace)).unwrap_or(line).trim_start()
}

/// Returns the value without quotation marks or emphasis around the whole value.
fn plain_value(value: &str) -> Result<&str, Unusable> {
    let value = ["**", "`"]
        .into_iter()
        .find_map(|mark| {
            let inner = value.strip_prefix(mark)?.strip_suffix(mark)?;
            (!inner.contains(mark)).then_some(inner)
        })
        .unwrap_or(value);
    match value.chars().next() {
        // The value is cut off or continues in an unknown form, so it must not be read as null.
        None => Err(Unusable::Malformed),
        Some('[' | '{') => Err(Unusable::WrongType),
        Some(mark) if opens(mark) => {
            let inner = value.strip_prefix(mark).and_then(|rest| rest.strip_suffix(opens));
            inner.filter(|inner| !inner.contains(['"', '\u{201c}', '\u{201d}'])).ok_or(Unusable::Malformed)
        }
        Some(_) => Ok(value),
    }
}
