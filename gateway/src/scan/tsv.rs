//! Parses the TSV of tesseract: a row for each page, block, paragraph, line and word. Nothing in it is trusted: an
//! invalid confidence is left out, and a word without one is for review.

/// Most pages of a scan, as many as `gateway ocr --pages` allows.
const MOST_PAGES: usize = 1_000;
/// Most words of a scan.
const MOST_WORDS: usize = 200_000;
/// Most bytes of their text.
const LONGEST: usize = 2_000_000;
const COLUMNS: usize = 12;
/// The levels of rows that are read.
const PAGE: &str = "1";
const LINE: &str = "4";
const WORD: &str = "5";

/// Why a table is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableFault {
    /// It is not such a table.
    NoTable,
    /// It has more pages, words or letters than a scan may have.
    TooLong,
}

/// What a server read.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ReadPages {
    /// The number of pages, those without words included.
    pub(super) pages: usize,
    pub(super) lines: Vec<ReadLine>,
}

/// A line of a page, with a word at least.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ReadLine {
    /// The number of its page, from 1.
    pub(super) page: usize,
    /// Whether a gap as high as a line is before it.
    pub(super) is_apart: bool,
    pub(super) words: Vec<ReadWord>,
}

/// A word of a line.
#[derive(Debug, PartialEq)]
pub(super) struct ReadWord {
    pub(super) text: String,
    /// 0 to 1.
    pub(super) confidence: Option<f64>,
}

/// The place of a line on its page, in pixels.
#[derive(Clone, Copy)]
struct Place {
    page: usize,
    top: i64,
    height: i64,
}

/// Parses a table.
pub(super) fn parse(table: &[u8]) -> Result<ReadPages, TableFault> {
    use TableFault::{NoTable, TooLong};
    let table = std::str::from_utf8(table).map_err(|_| NoTable)?;
    let mut rows = table.lines();
    if !rows.next().is_some_and(|head| head.starts_with("level\tpage_num\t")) {
        return Err(NoTable);
    }
    let mut read = ReadPages::default();
    let (mut words, mut letters) = (0, 0);
    let mut current: Option<Place> = None;
    let mut last: Option<Place> = None;
    for row in rows.filter(|row| !row.is_empty()) {
        let Some([level, page, _, _, _, _, _, top, _, height, confidence, text]) = columns(row) else {
            return Err(NoTable);
        };
        let page: usize = number(page)?;
        if page == 0 || !(read.pages..=read.pages + 1).contains(&page) {
            return Err(NoTable);
        }
        match level {
            PAGE if page > MOST_PAGES => return Err(TooLong),
            PAGE => read.pages = page,
            _ if page != read.pages => return Err(NoTable),
            LINE => current = Some(Place { page, top: number(top)?, height: number(height)? }),
            WORD => {
                let text = plain(text);
                if text.is_empty() {
                    continue;
                }
                (words, letters) = (words + 1, letters + text.len());
                if words > MOST_WORDS || letters > LONGEST {
                    return Err(TooLong);
                }
                // The first word of a line.
                if let Some(place) = current.take() {
                    read.lines.push(ReadLine { page, is_apart: place.is_apart_from(last), words: Vec::new() });
                    last = Some(place);
                }
                let line = read.lines.last_mut().ok_or(NoTable)?;
                line.words.push(ReadWord { text, confidence: share(confidence) });
            }
            _ => {}
        }
    }
    Ok(read)
}

fn columns(row: &str) -> Option<[&str; COLUMNS]> {
    let mut columns = [""; COLUMNS];
    let mut cells = row.splitn(COLUMNS, '\t');
    for column in &mut columns {
        *column = cells.next()?;
    }
    Some(columns)
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, TableFault> {
    text.parse().map_err(|_| TableFault::NoTable)
}

impl Place {
    /// Returns whether a gap as high as a line is between two lines of a page. Without one, a new block is only how the
    /// program divides the page.
    fn is_apart_from(self, before: Option<Self>) -> bool {
        before.is_some_and(|before| {
            let gap = self.top.saturating_sub(before.top.saturating_add(before.height));
            before.page == self.page && gap > self.height.max(before.height)
        })
    }
}

fn share(percent: &str) -> Option<f64> {
    let percent: f64 = percent.trim().parse().ok()?;
    (0.0..=100.0).contains(&percent).then_some((percent * 100.0).round() / 10_000.0)
}

/// Returns a word without spaces and control characters.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of a table.
    const HEAD: &str =
        "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n";

    fn row(level: u8, page: usize, top: i64, confidence: &str, text: &str) -> String {
        format!("{level}\t{page}\t1\t1\t1\t1\t0\t{top}\t100\t20\t{confidence}\t{text}\n")
    }

    #[test]
    fn lines_gaps_pages_and_confidences_are_read_and_nonsense_is_left_out() {
        let table = [
            HEAD.to_owned(),
            row(1, 1, 0, "-1", ""),
            row(4, 1, 100, "-1", ""),
            row(5, 1, 100, "96.5", "Plan:"),
            row(5, 1, 100, "nan", "\u{7}x\u{a0}y"),
            row(4, 1, 130, "-1", ""),
            row(5, 1, 130, "95", " "),
            row(4, 1, 131, "-1", ""),
            row(5, 1, 131, "101", "next"),
            row(4, 1, 200, "-1", ""),
            row(5, 1, 200, "0", "apart"),
            row(1, 2, 0, "-1", ""),
            row(1, 3, 0, "-1", ""),
            row(4, 3, 900, "-1", ""),
            row(5, 3, 900, "50", "last"),
        ];
        let read = parse(table.concat().as_bytes()).unwrap();
        assert_eq!(read.pages, 3);
        let lines: Vec<_> = read.lines.iter().map(|line| (line.page, line.is_apart, line.words.len())).collect();
        assert_eq!(lines, [(1, false, 2), (1, false, 1), (1, true, 1), (3, false, 1)]);
        let words = read.lines.iter().flat_map(|line| &line.words).map(|word| (&*word.text, word.confidence));
        let words: Vec<_> = words.collect();
        assert_eq!(
            words,
            [("Plan:", Some(0.965)), ("xy", None), ("next", None), ("apart", Some(0.0)), ("last", Some(0.5))]
        );
        assert_eq!(parse(HEAD.as_bytes()), Ok(ReadPages::default()));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let head = HEAD.to_owned();
        for table in [
            String::new(),
            "<html>".to_owned(),
            "{\"text\": 1}".to_owned(),
            head.clone() + "5\t1\n",
            // A word of a page that is not there, a page that is left out, a page that comes again.
            head.clone() + &row(5, 1, 0, "1", "a"),
            head.clone() + &row(1, 2, 0, "1", "a"),
            head.clone() + &row(1, 1, 0, "", "") + &row(1, 2, 0, "", "") + &row(5, 1, 0, "1", "a"),
            // A word without a line.
            head.clone() + &row(1, 1, 0, "", "") + &row(5, 1, 0, "1", "a"),
            // A page and a height that are not numbers.
            head.clone() + &row(1, 1, 0, "", "").replace("1\t1\t1", "1\tx\t1"),
            head + &row(1, 1, 0, "", "") + &row(4, 1, 0, "", "").replace("\t20\t", "\t\t"),
        ] {
            assert_eq!(parse(table.as_bytes()), Err(TableFault::NoTable), "{table}");
        }
        assert_eq!(parse(b"level\tpage_num\t\xff"), Err(TableFault::NoTable));
    }

    #[test]
    fn more_pages_words_or_letters_than_a_scan_has_are_too_long() {
        let pages = |count| HEAD.to_owned() + &(1..=count).map(|page| row(1, page, 0, "", "")).collect::<String>();
        assert_eq!(parse(pages(MOST_PAGES).as_bytes()).map(|read| read.pages), Ok(MOST_PAGES));
        assert_eq!(parse(pages(MOST_PAGES + 1).as_bytes()), Err(TableFault::TooLong));
        let with = |words: &str| HEAD.to_owned() + &row(1, 1, 0, "", "") + &row(4, 1, 0, "", "") + words;
        let words = |count| with(&row(5, 1, 0, "1", "a").repeat(count));
        assert!(parse(words(MOST_WORDS).as_bytes()).is_ok());
        assert_eq!(parse(words(MOST_WORDS + 1).as_bytes()), Err(TableFault::TooLong));
        let letters = |count| with(&row(5, 1, 0, "1", &"a".repeat(count)));
        assert!(parse(letters(LONGEST).as_bytes()).is_ok());
        assert_eq!(parse(letters(LONGEST + 1).as_bytes()), Err(TableFault::TooLong));
    }
}
