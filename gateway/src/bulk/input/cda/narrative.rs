//! Writes the narrative text of a section as lines: paragraphs, items of lists and rows of tables.

/// Readable text that grows up to a limit.
#[derive(Debug)]
pub(super) struct Narrative {
    text: String,
    /// What separates the text that comes next from the text before it.
    gap: Gap,
    longest: usize,
    pub(super) is_too_long: bool,
    /// Headings to write before the next text, if there is one.
    headings: Vec<String>,
    /// Number of cells of tables that are open.
    open_cells: usize,
}

/// What separates two pieces of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    None,
    Blank,
    Cell,
    Line,
    Paragraph,
}

impl Narrative {
    pub(super) fn new(longest: usize) -> Self {
        Self { text: String::new(), gap: Gap::None, longest, is_too_long: false, headings: Vec::new(), open_cells: 0 }
    }

    /// Adds text. White space is one blank, or a line end where `keeps_lines` holds and it has one.
    pub(super) fn add(&mut self, text: &str, keeps_lines: bool) {
        let mut rest = text;
        while !rest.is_empty() {
            let word = rest.find(|character: char| character.is_ascii_whitespace()).unwrap_or(rest.len());
            let (word, after) = rest.split_at(word);
            if !word.is_empty() {
                self.word(word);
            }
            let next = after.trim_start_matches(|character: char| character.is_ascii_whitespace());
            let blank = after.strip_suffix(next).unwrap_or(after);
            match blank.contains(['\n', '\r']) && keeps_lines {
                true => self.end_line(),
                false if !blank.is_empty() => self.separate(Gap::Blank),
                false => {}
            }
            rest = next;
        }
    }

    fn word(&mut self, word: &str) {
        if self.is_too_long {
            return;
        }
        for heading in std::mem::take(&mut self.headings) {
            self.gap = Gap::Paragraph;
            self.push(&heading);
            self.gap = Gap::Line;
        }
        self.push(word);
    }

    fn push(&mut self, text: &str) {
        let gap = match std::mem::replace(&mut self.gap, Gap::None) {
            Gap::Cell => " | ",
            Gap::None => "",
            _ if self.text.is_empty() => "",
            Gap::Blank => " ",
            Gap::Line => "\n",
            Gap::Paragraph => "\n\n",
        };
        self.is_too_long = self.text.len() + gap.len() + text.len() > self.longest;
        if self.is_too_long {
            self.text = String::new();
        } else {
            self.text.push_str(gap);
            self.text.push_str(text);
        }
    }

    fn separate(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    /// Ends the line. Within a cell of a table, the row continues.
    pub(super) fn end_line(&mut self) {
        self.separate(if self.open_cells > 0 { Gap::Blank } else { Gap::Line });
    }

    /// Ends the line and adds an empty one.
    pub(super) fn end_paragraph(&mut self) {
        self.separate(if self.open_cells > 0 { Gap::Blank } else { Gap::Paragraph });
    }

    /// Begins a cell; the first one of a row has nothing before it.
    pub(super) fn begin_cell(&mut self, is_first: bool) {
        if self.open_cells == 0 && !is_first {
            // An empty cell keeps its place in the row.
            if self.gap >= Gap::Cell {
                self.word("");
            }
            self.gap = Gap::Cell;
        } else {
            self.separate(Gap::Blank);
        }
        self.open_cells += 1;
    }

    pub(super) fn end_cell(&mut self) {
        self.open_cells = self.open_cells.saturating_sub(1);
        if self.open_cells == 0 && self.gap == Gap::Blank {
            self.gap = Gap::None;
        }
    }

    /// Adds a heading. It is left out if it is removed before any text follows.
    pub(super) fn heading(&mut self, heading: String) {
        self.headings.push(heading);
    }

    /// Returns how many headings have no text yet.
    pub(super) fn open_headings(&self) -> usize {
        self.headings.len()
    }

    /// Removes the headings without text, except the first `kept` ones.
    pub(super) fn forget_headings(&mut self, kept: usize) {
        self.headings.truncate(kept);
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}
