//! Notes made to cost as much as they can: what the lexicons, patterns and cues look for, in lists that multiply.
//!
//! Used by the test that counts steps and by the example that measures CPU time. Made up; no patient's.

use std::fmt::Write;

/// One recipe for a note of any length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recipe {
    /// The lists, two or three of [`ATOMS`], by index.
    pub(crate) lists: [usize; 3],
    /// How many of them are used.
    pub(crate) used: usize,
    /// What stands between two items.
    pub(crate) separator: &'static str,
    /// How the lists are put together.
    pub(crate) layout: Layout,
}

/// How lists are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// All of the first, then all of the next.
    OneAfterTheOther,
    /// An item of each in turn.
    InTurn,
}

/// What rules, grounding and assertion look for: words for each list of terms, each pattern and each kind of cue. `#` is a
/// running number, so that items differ; `@` runs through letters.
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

/// What may stand between two items.
pub(crate) const SEPARATORS: [&str; 5] = [" ", ", ", "/", "; ", "\n"];

/// What a note may begin with: a diagnosis opens all fields.
pub(crate) const DIAGNOSIS: &str = "Lung adenocarcinoma, stage IV, on osimertinib. ";

impl Recipe {
    /// A note of about so many characters.
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

    /// Every two lists in every layout, each with one separator.
    pub(crate) fn pairs() -> impl Iterator<Item = Self> {
        let lists = 0..ATOMS.len();
        lists.flat_map(|one| (0..ATOMS.len()).map(move |two| (one, two))).flat_map(|(one, two)| {
            let separator = (one * 7 + two) % SEPARATORS.len();
            Self::of([one, two, 0], 2).skip(2 * separator).take(2)
        })
    }

    /// So many of every three lists, the same ones each time.
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

    /// Its name in a table.
    #[must_use]
    pub(crate) fn name(&self) -> String {
        let lists: Vec<&str> = self.lists.iter().take(self.used).map(|&list| ATOMS[list]).collect();
        let layout = if self.layout == Layout::InTurn { "in turn" } else { "one after the other" };
        format!("{} by {:?}, {layout}", lists.join(" | "), self.separator)
    }
}
