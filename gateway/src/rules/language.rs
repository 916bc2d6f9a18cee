//! Whether a note is in another language than English, by its little words. Names of drugs and many names of
//! tumours are alike everywhere; the words that deny them are not.

/// Little words of Spanish, Portuguese, French, Italian, German and Dutch that English notes do not have.
const FOREIGN: &str = "el los las una con por sin para del paciente que se fue com uma sem nao dos pela foi le les des \
                       est une avec sous sans du patiente qui aux della il di che senza nel gli der das und mit \
                       ohne bei eine einer wurde nach zeigt unter vom zum het een met voor niet werd bij y de";
/// Little words of English.
const ENGLISH: &str = "the of and with to was is for no on has in were she he her his an are by from without that";
/// A phrase is no language; notes that leave out all little words have none of either.
const FEWEST: usize = 3;

/// Whether the folded text has more of the little words of other languages than of English.
pub(crate) fn is_foreign(text: &str) -> bool {
    let words = || text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(400);
    let count = |list: &str| words().filter(|word| super::view::is_one_of(list, word)).count();
    let foreign = count(FOREIGN);
    foreign >= FEWEST && foreign > count(ENGLISH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages() {
        for (text, expected) in [
            ("paciente con cancer de mama con metastasis en el higado, en tratamiento con trastuzumab", true),
            ("patientin mit lungenkarzinom und lebermetastasen, progress unter osimertinib", true),
            ("patiente suivie pour un cancer du sein avec des metastases hepatiques sous palbociclib", true),
            ("paziente con carcinoma del polmone, metastasi al fegato, in terapia con osimertinib", true),
            (
                "the patient has de novo metastatic breast cancer, en bloc resection, la paz hospital, con thalidomide",
                false,
            ),
            ("stage iv nsclc, egfr+. osimertinib. pr.", false),
            ("die", false),
            ("", false),
        ] {
            assert_eq!(is_foreign(text), expected, "{text}");
        }
    }
}
