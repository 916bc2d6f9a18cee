//! HTML and its like: tags taken out, entities read.
//!
//! Only tags by their names count: `<5%` and `p <b and y> z` are none.

use std::{collections::HashMap, sync::LazyLock};

use super::{encoded::western, rewrite::Rewrite};

/// Tags that stand within a line or show nothing: what they part belongs together.
const INLINE: &str = "a abbr b big center cite code col colgroup content em font html i img label link mark meta nobr q s \
                      small span strike strong sub sup tt u wbr";
/// Tags that begin or end a line.
const BLOCK: &str = "blockquote body br caption dd div dl dt footer h1 h2 h3 h4 h5 h6 head header hr item li list main ol \
                     p paragraph pre article section table tbody text tfoot thead title tr ul";
/// Cells of a table: text of two cells is two words.
const CELL: &str = "td th";
/// Their content is not text.
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
    // These would not be seen in the list.
    let blank = ["nbsp", "ensp", "emsp", "thinsp"].map(|name| (name, ' '));
    let invisible = ["shy", "zwnj", "zwj", "lrm", "rlm"].map(|name| (name, '\u{ad}'));
    pairs.filter_map(pair).chain(blank).chain(invisible).collect()
});

/// The text without tags and entities; nothing where it has none.
pub(super) fn removed(text: &str) -> Option<Rewrite> {
    let (mut made, mut copied, mut unclosed) = (Rewrite::default(), 0, UnclosedTags::default());
    for at in memchr::memchr2_iter(b'<', b'&', text.as_bytes()) {
        // Within what was taken out already.
        if at < copied {
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        let found = if rest.starts_with('<') { tag(rest, &mut unclosed) } else { entity(rest) };
        if let Some((length, instead)) = found {
            made.copy(text, copied..at);
            if let Some(character) = instead {
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

/// Ends that were looked for in vain, and are not looked for again: each search goes to the end of the note.
#[derive(Default)]
struct UnclosedTags(Vec<&'static str>);

impl UnclosedTags {
    /// Length up to and with an end.
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

/// Length of the tag or comment that begins here, and what stands in its place.
fn tag(rest: &str, unclosed: &mut UnclosedTags) -> Option<(usize, Option<char>)> {
    if rest.starts_with("<!--") {
        return Some((unclosed.find(rest, "-->")?, None));
    }
    let inner = rest.get(1..)?;
    let (closes, inner) = inner.strip_prefix('/').map_or((false, inner), |inner| (true, inner));
    let declares = inner.strip_prefix("!DOCTYPE").or_else(|| inner.strip_prefix("!doctype"));
    let declares = declares.or_else(|| inner.strip_prefix("?xml"));
    let name_length = inner.bytes().take(12).take_while(u8::is_ascii_alphanumeric).count();
    let name = inner.get(..name_length)?.to_ascii_lowercase();
    let attributes = declares.or_else(|| inner.get(name_length..))?;
    let near = attributes.as_bytes().get(..LONGEST_TAG).unwrap_or(attributes.as_bytes());
    let end = memchr::memchr2(b'<', b'>', near).filter(|&end| near.get(end) == Some(&b'>'))?;
    let length = rest.len() - attributes.len() + end + 1;
    if declares.is_some() {
        return Some((length, None));
    }
    let attributes = attributes.get(..end)?;
    // Either nothing but a slash, or members with values.
    let bare = attributes.trim().trim_end_matches('/').is_empty();
    let valued = attributes.starts_with(char::is_whitespace) && attributes.contains('=');
    if !bare && !valued {
        return None;
    }
    if let Some((_, end)) = HIDDEN.iter().find(|(hidden, _)| *hidden == name && !closes) {
        return Some((unclosed.find(rest, end)?, Some('\n')));
    }
    let is_one_of = |names: &str| names.split_ascii_whitespace().any(|own| own == name);
    let instead = if is_one_of(INLINE) {
        None
    } else if is_one_of(BLOCK) {
        Some('\n')
    } else if is_one_of(CELL) {
        Some(' ')
    } else {
        return None;
    };
    Some((length, instead))
}

/// Length of the entity that begins here, and the character that it stands for.
fn entity(rest: &str) -> Option<(usize, Option<char>)> {
    // What was encoded twice is read twice.
    let twice = rest.strip_prefix("&amp;").and_then(reference).map(|(length, character)| (length + 5, character));
    let once = || rest.strip_prefix('&').and_then(reference).map(|(length, character)| (length + 1, character));
    twice.or_else(once).map(|(length, character)| (length, Some(character)))
}

/// What follows an ampersand: a name or a number, and a semicolon.
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
        return Some((skipped + length + 1, plain(western(code))));
    }
    // The one that pages have without its semicolon too.
    if let Some(rest) = after.strip_prefix("nbsp") {
        return Some((4 + usize::from(rest.starts_with(';')), ' '));
    }
    let length = after.bytes().take(LONGEST_NAME).take_while(u8::is_ascii_alphanumeric).count();
    let character = ENTITIES.get(after.get(..length)?)?;
    after.get(length..)?.strip_prefix(';')?;
    Some((length + 1, plain(*character)))
}

/// One kind of blank.
fn plain(character: char) -> char {
    if character.is_whitespace() && !matches!(character, '\n' | '\r' | '\t') { ' ' } else { character }
}
