//! The words around spoken numbers that say what they count.

/// A word that takes a number after it.
pub(super) struct Label {
    pub(super) name: &'static str,
    /// The largest number that it takes.
    pub(super) most: u32,
    /// Whether it takes a number in any context. Others are ordinary words too: "at this stage one hopes".
    pub(super) always: bool,
}

/// The words that take a number.
pub(super) const LABELS: [Label; 11] = [
    always("exon", 400),
    always("exons", 400),
    always("intron", 400),
    always("codon", 9_999),
    always("chromosome", 22),
    always("gleason", 10),
    always("ecog", 5),
    always("karnofsky", 100),
    always("auc", 10),
    Label { name: "stage", most: 4, always: false },
    Label { name: "grade", most: 5, always: false },
];

const fn always(name: &'static str, most: u32) -> Label {
    Label { name, most, always: true }
}

/// Words that may be between such a word and its number.
pub(super) const FILLERS: &str = "performance status score sum pattern group index of is";
/// Words before "stage" and "grade" that make them ordinary words.
pub(super) const DETERMINERS: &str = "this that which what any some each every later early next same another";
/// Words after "stage one" that show that "one" is its number.
pub(super) const BEHIND_ONE: &str = "disease cancer carcinoma tumor tumour invasive and or to";
pub(super) const PERCENT: &str = "percent percentage";
/// Units that may follow a number.
pub(super) const UNITS: &str = "milligram milligrams mg microgram micrograms nanogram nanograms gram grams kilogram \
                                kilograms kg millimeter millimeters millimetre millimetres mm centimeter centimeters \
                                centimetre centimetres cm gray grays gy milliliter milliliters millilitre millilitres \
                                units mutations";
/// Letters before a TNM formula: by pathology, by examination, after therapy, at recurrence.
pub(super) const PREFIXES: &str = "p c yp yc r";
/// Words before "one point" that make it a place.
pub(super) const PLACES: &str = "at on to from";
/// The one-letter codes of amino acids.
pub(super) const AMINO_ACIDS: &str = "ACDEFGHIKLMNPQRSTVWY";
/// Words near which a protein change is certain.
pub(super) const CHANGES: &str = "mutation mutations mutant variant substitution alteration";
/// Words after the name of a gene or marker that show that it is one.
pub(super) const RESULTS: &str = "positive negative low amplified amplification overexpression overexpressing expression \
                                  status mutation mutations mutated mutant variant gene receptor loss inhibitor testing \
                                  index proliferation labeling";
/// What is counted, not tested: "her two positive nodes".
pub(super) const COUNTED: &str = "node nodes lymph sentinel margin margins";
