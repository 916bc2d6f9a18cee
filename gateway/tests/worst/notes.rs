//! Synthetic notes that cost the rules, grounding and assertion as much time as possible: long lists of the words that
//! lexicons, patterns and cues look for, combined so that the costs multiply.
//!
//! Used by the test that counts steps and by the example that measures CPU time. No text is from a patient.

use std::fmt::Write;

/// A recipe for a note of any length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recipe {
    /// Indices of the items in [`ATOMS`]. Each item gives one list; the third index is unused if `used` is two.
    pub(crate) lists: [usize; 3],
    /// Number of lists in use, two or three.
    pub(crate) used: usize,
    /// Text between two items.
    pub(crate) separator: &'static str,
    /// Order of the items.
    pub(crate) layout: Layout,
}

/// Order in which the items of several lists are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// All items of the first list, then all items of the next.
    OneAfterTheOther,
    /// One item of each list in turn.
    InTurn,
}

/// Words that rules, grounding and assertion look for: some for each list of terms, each pattern and each kind of cue.
/// `#` becomes a running number and `@` a running letter, so that items differ.
pub(crate) const ATOMS: [&str; 66] = [
    "ALK",
    "BRCA#",
    "EGFR",
    "BCR-ABL1",
    "HER2",
    "V600E",
    "c.#A>G",
    "p.@#C",
    "exon 19 deletion",
    "mutation",
    "germline",
    "pathogenic variant",
    "likely",
    "amplification",
    "fusion",
    "positive",
    "negative",
    "not detected",
    "wild type",
    "PD-L1",
    "PD-L1 #%",
    "ER",
    "CEA",
    "CEA # ng/ml",
    "TMB # mut/Mb",
    "MSI-H",
    "Ki-67",
    "metastases",
    "metastatic to",
    "lesion",
    "liver",
    "bone",
    "lymph nodes",
    "lung",
    "adenocarcinoma",
    "lung cancer",
    "breast cancer",
    "history of",
    "carcinoma of the",
    "stage",
    "stage IV",
    "FIGO",
    "pT3N1M0",
    "T#",
    "staging not",
    "osimertinib",
    "FOLFOX (",
    "surgery",
    "planned",
    "declined",
    "PR",
    "PD",
    "no evidence of",
    "no",
    "without any",
    "denies",
    "stable disease",
    "progression on",
    "mother had",
    "ruled out",
    "who grade",
    "t(9;22)",
    "Liver:",
    "if",
    "and",
    "GENE@ c.#A>G p.A#C VUS AF 3%",
];

/// Texts between two items.
pub(crate) const SEPARATORS: [&str; 5] = [" ", ", ", "/", "; ", "\n"];

/// The beginning of every note. A diagnosis makes the rules look for all fields.
pub(crate) const DIAGNOSIS: &str = "Lung adenocarcinoma, stage IV, on osimertinib. ";

impl Recipe {
    /// Returns a note of `chars` bytes, cut at a character boundary.
    #[must_use]
    pub(crate) fn note(&self, chars: usize) -> String {
        let mut note = String::with_capacity(chars + 64);
        note.push_str(DIAGNOSIS);
        let lists = self.lists.get(..self.used).unwrap_or_default();
        let mut number = 0;
        match self.layout {
            Layout::OneAfterTheOther => {
                for (at, &list) in (1..).zip(lists) {
                    while note.len() < chars * at / self.used {
                        number += 1;
                        self.push(&mut note, list, number);
                    }
                }
            }
            Layout::InTurn => {
                while note.len() < chars {
                    number += 1;
                    for &list in lists {
                        self.push(&mut note, list, number);
                    }
                }
            }
        }
        note.truncate(note.floor_char_boundary(chars));
        note
    }

    fn push(&self, note: &mut String, list: usize, number: usize) {
        for c in ATOMS.get(list).copied().unwrap_or_default().chars() {
            match c {
                '#' => drop(write!(note, "{number}")),
                '@' => note.push(char::from(b'A' + u8::try_from(number % 26).unwrap_or_default())),
                _ => note.push(c),
            }
        }
        note.push_str(self.separator);
    }

    /// Returns a recipe for every pair of lists in every layout. Each pair has one separator.
    pub(crate) fn pairs() -> impl Iterator<Item = Self> {
        let lists = 0..ATOMS.len();
        lists.flat_map(|one| (0..ATOMS.len()).map(move |two| (one, two))).flat_map(|(one, two)| {
            let separator = (one * 7 + two) % SEPARATORS.len();
            Self::of([one, two, 0], 2).skip(2 * separator).take(2)
        })
    }

    /// Returns recipes for `count` pseudo-random triples of lists, the same triples in each run, with every separator
    /// and layout.
    pub(crate) fn triples(count: usize) -> impl Iterator<Item = Self> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap_or_default() % ATOMS.len()
        };
        (0..count).flat_map(move |_| Self::of([next(), next(), next()], 3))
    }

    fn of(lists: [usize; 3], used: usize) -> impl Iterator<Item = Self> {
        SEPARATORS.into_iter().flat_map(move |separator| {
            [Layout::OneAfterTheOther, Layout::InTurn].map(|layout| Self { lists, used, separator, layout })
        })
    }

    /// Returns the name of the recipe for a table.
    #[must_use]
    pub(crate) fn name(&self) -> String {
        let lists: Vec<&str> = self.lists.iter().take(self.used).map(|&list| ATOMS[list]).collect();
        let layout = if self.layout == Layout::InTurn { "in turn" } else { "one after the other" };
        format!("{} by {:?}, {layout}", lists.join(" | "), self.separator)
    }
}
