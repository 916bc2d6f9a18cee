//! Removes the tags of HTML and similar markup, and decodes entities.
//!
//! Only tags with known names and a valid form count: `<5%` and `p <b and y> z` are not tags.

use std::{collections::HashMap, sync::LazyLock};

use super::{quoted_printable::western, rewrite::Rewrite};

/// Tags within a line, or tags that show nothing: the text before and after them is joined.
const INLINE: &str = "a abbr b big center cite code col colgroup content em font html i img label link mark meta nobr q s \
                      small span strike strong sub sup tt u wbr";
/// Tags that begin or end a line.
const BLOCK: &str = "blockquote body br caption dd div dl dt footer h1 h2 h3 h4 h5 h6 head header hr item li list main ol \
                     p paragraph pre article section table tbody text tfoot thead title tr ul";
/// Cells of a table: the texts of two cells are separate words.
const CELL: &str = "td th";
/// Tags whose content is not text, and their closing tags.
const HIDDEN: [(&str, &str); 2] = [("style", "</style>"), ("script", "</script>")];
/// Longest tag, in bytes.
const LONGEST_TAG: usize = 2_000;
/// Longest name of an entity, in bytes.
const LONGEST_NAME: usize = 8;

static ENTITIES: LazyLock<HashMap<&'static str, char>> = LazyLock::new(|| {
    let pairs =
        include_str!("entities.txt").lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
    let pair = |pair: &'static str| {
        let (name, character) = pair.split_once('=')?;
        Some((name, character.chars().next()?))
    };
    // These are invisible in the list.
    let blank = ["nbsp", "ensp", "emsp", "thinsp"].map(|name| (name, ' '));
    let invisible = ["shy", "zwnj", "zwj", "lrm", "rlm"].map(|name| (name, '\u{ad}'));
    pairs.filter_map(pair).chain(blank).chain(invisible).collect()
});

/// Returns the text without tags and with decoded entities; `None` where it has neither.
pub(super) fn remove(text: &str) -> Option<Rewrite> {
    let (mut made, mut copied, mut unclosed) = (Rewrite::default(), 0, UnclosedTags::default());
    for at in memchr::memchr2_iter(b'<', b'&', text.as_bytes()) {
        // Inside a tag or an entity that was replaced already.
        if at < copied {
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        let found = if rest.starts_with('<') { tag(rest, &mut unclosed) } else { entity(rest) };
        if let Some((length, replacement)) = found {
            made.copy(text, copied..at);
            if let Some(character) = replacement {
                made.put(character, at..at + length);
            }
            copied = at + length;
        }
    }
    if copied == 0 {
        return None;
    }
    made.copy(text, copied..text.len());
    Some(made)
}

/// Closing marks that the rest of the note does not contain. They are not searched again, because each search reads to
/// the end of the note.
#[derive(Default)]
struct UnclosedTags(Vec<&'static str>);

impl UnclosedTags {
    /// Returns the length in bytes up to and including `end`.
    fn find(&mut self, rest: &str, end: &'static str) -> Option<usize> {
        if self.0.contains(&end) {
            return None;
        }
        let found = rest.find(end).or_else(|| rest.find(&end.to_ascii_uppercase()));
        if found.is_none() {
            self.0.push(end);
        }
        found.map(|at| at + end.len())
    }
}

/// Returns the length in bytes of the tag or comment at the start of `rest`, and the character that replaces it.
fn tag(rest: &str, unclosed: &mut UnclosedTags) -> Option<(usize, Option<char>)> {
    if rest.starts_with("<!--") {
        return Some((unclosed.find(rest, "-->")?, None));
    }
    let inner = rest.get(1..)?;
    let (closes, inner) = inner.strip_prefix('/').map_or((false, inner), |inner| (true, inner));
    let declaration = inner.strip_prefix("!DOCTYPE").or_else(|| inner.strip_prefix("!doctype"));
    let declaration = declaration.or_else(|| inner.strip_prefix("?xml"));
    let name_length = inner.bytes().take(12).take_while(u8::is_ascii_alphanumeric).count();
    let name = inner.get(..name_length)?.to_ascii_lowercase();
    let attributes = declaration.or_else(|| inner.get(name_length..))?;
    let searched = attributes.as_bytes().get(..LONGEST_TAG).unwrap_or(attributes.as_bytes());
    let end = memchr::memchr2(b'<', b'>', searched).filter(|&end| searched.get(end) == Some(&b'>'))?;
    let length = rest.len() - attributes.len() + end + 1;
    if declaration.is_some() {
        return Some((length, None));
    }
    let attributes = attributes.get(..end)?;
    // A tag has no attributes, or attributes with values.
    let bare = attributes.trim().trim_end_matches('/').is_empty();
    let valued = attributes.starts_with(char::is_whitespace) && attributes.contains('=');
    if !bare && !valued {
        return None;
    }
    if let Some((_, end)) = HIDDEN.iter().find(|(hidden, _)| *hidden == name && !closes) {
        return Some((unclosed.find(rest, end)?, Some('\n')));
    }
    let is_one_of = |names: &str| names.split_ascii_whitespace().any(|each| each == name);
    let replacement = if is_one_of(INLINE) {
        None
    } else if is_one_of(BLOCK) {
        Some('\n')
    } else if is_one_of(CELL) {
        Some(' ')
    } else {
        return None;
    };
    Some((length, replacement))
}

/// Returns the length in bytes of the entity at the start of `rest`, and the character that it stands for.
fn entity(rest: &str) -> Option<(usize, Option<char>)> {
    // Text that was encoded twice is decoded twice.
    let twice = rest.strip_prefix("&amp;").and_then(reference).map(|(length, character)| (length + 5, character));
    let once = || rest.strip_prefix('&').and_then(reference).map(|(length, character)| (length + 1, character));
    twice.or_else(once).map(|(length, character)| (length, Some(character)))
}

/// Reads the text after an ampersand: a name or a number, and a semicolon. Returns its length and character.
fn reference(after: &str) -> Option<(usize, char)> {
    if let Some(number) = after.strip_prefix('#') {
        let (digits, radix, skipped) = match number.strip_prefix(['x', 'X']) {
            Some(digits) => (digits, 16, 2),
            None => (number, 10, 1),
        };
        let length = digits.chars().take(LONGEST_NAME).take_while(|digit| digit.is_digit(radix)).count();
        let code = u32::from_str_radix(digits.get(..length)?, radix).ok().filter(|&code| code > 0)?;
        char::from_u32(code)?;
        digits.get(length..)?.strip_prefix(';')?;
        return Some((skipped + length + 1, normal_blank(western(code))));
    }
    // Pages also contain this entity without its semicolon.
    if let Some(rest) = after.strip_prefix("nbsp") {
        return Some((4 + usize::from(rest.starts_with(';')), ' '));
    }
    let length = after.bytes().take(LONGEST_NAME).take_while(u8::is_ascii_alphanumeric).count();
    let character = ENTITIES.get(after.get(..length)?)?;
    after.get(length..)?.strip_prefix(';')?;
    Some((length + 1, normal_blank(*character)))
}

/// Replaces every blank other than a tab or a line end by a space.
fn normal_blank(character: char) -> char {
    if character.is_whitespace() && !matches!(character, '\n' | '\r' | '\t') { ' ' } else { character }
}
