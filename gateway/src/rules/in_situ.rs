//! Distinguishes a carcinoma in situ from an invasive one. A report of an invasive carcinoma often names its in situ
//! component too, with more words.

/// What is known of the name of a malignancy.
pub(super) struct Name<'n> {
    pub(super) value: &'n str,
    /// Whether it says more than the organ.
    pub(super) histology: bool,
    pub(super) past: bool,
    /// The side of its organ; empty if the name has none.
    pub(super) side: &'n str,
}

/// Returns the names without those of an in situ component: all names, unless one is of an invasive carcinoma.
pub(super) fn without_component<'n, T>(names: &[&'n T], of: impl Fn(&'n T) -> Name<'n>) -> Vec<&'n T> {
    let all = || names.iter().map(|name| of(name));
    let is_present_in_situ = all().any(|name| name.is_in_situ() && !name.past);
    let invades = |side: &str| {
        let same_side = |name: &Name<'_>| name.side.is_empty() || side.is_empty() || name.side == side;
        all().any(|name| name.is_invasive() && same_side(&name) && !(name.past && is_present_in_situ))
    };
    let is_component = |name: &Name<'_>| name.is_in_situ() && invades(name.side);
    names.iter().filter(|name| !is_component(&of(name))).copied().collect()
}

impl Name<'_> {
    fn is_in_situ(&self) -> bool {
        let value = self.value.replace('-', " ").to_lowercase();
        let says = value.contains("in situ") || value.starts_with("intraductal") || value.contains("non invasi");
        says || ["dcis", "lcis", "cis"].contains(&value.as_str())
    }

    /// A histology counts as invasive unless it says otherwise.
    fn is_invasive(&self) -> bool {
        let value = self.value.to_lowercase();
        let says = ["invasi", "infiltrat"].iter().any(|word| value.contains(word));
        !self.is_in_situ() && (says || self.histology)
    }
}
