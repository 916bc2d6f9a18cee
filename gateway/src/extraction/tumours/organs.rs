//! Organs that count as one when tumours are distinguished.

/// Organs that notes call by several names, under the name of the first: a tumour of one of them is not a second tumour
/// beside a tumour of another of them.
const ALIKE: [&[&str]; 8] = [
    &["colon", "rectum", "appendix"],
    &["esophagus", "stomach", "gastroesophageal junction"],
    &[
        "head and neck",
        "larynx",
        "oropharynx",
        "oral cavity",
        "nasopharynx",
        "hypopharynx",
        "nasal cavity",
        "salivary gland",
    ],
    &["liver", "bile duct", "gallbladder", "ampulla of Vater"],
    &["uterus", "cervix"],
    &["ovary", "fallopian tube", "peritoneum"],
    &["kidney", "ureter"],
    &["soft tissue", "retroperitoneum", "bone", "mediastinum", "thymus"],
];

/// Returns the first name of the organs that notes call by several names; another organ's own name.
pub(crate) fn first_alike(organ: &str) -> &str {
    let group = ALIKE.iter().find(|group| group.contains(&organ));
    group.and_then(|group| group.first().copied()).unwrap_or(organ)
}
