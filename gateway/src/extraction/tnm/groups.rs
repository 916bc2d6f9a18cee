//! Stage groups of TNM formulas, for the organs in which T, N and M alone determine them.
//!
//! Source: AJCC Cancer Staging Manual, 8th edition: anatomic groups of the breast; colon and rectum; lung; kidney;
//! exocrine pancreas. For the prostate, the bladder and melanoma only the groups that need neither PSA nor grade nor
//! ulceration. A missing or unknown M counts as M0, as the manual has it for pathological groups.

use super::component::Component;

/// An organ whose groups are known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Organ {
    Bladder,
    Bowel,
    Breast,
    Kidney,
    Lung,
    Melanoma,
    Pancreas,
    Prostate,
}

/// The group of a formula, where it is certain.
pub(super) fn of(
    organ: Organ,
    tumour: &Component,
    nodes: Option<&Component>,
    metastasis: Option<&Component>,
) -> Option<&'static str> {
    if metastasis.is_some_and(|metastasis| metastasis.degree() == Some(1)) {
        return Some("IV");
    }
    if tumour.is_in_situ() {
        return (nodes.and_then(Component::degree).unwrap_or(0) == 0).then_some("0");
    }
    let (t, t_sub) = (tumour.degree()?, tumour.sub());
    // The nodes of kidney and bladder are often not removed, and then not named: that is N0.
    let unnamed = nodes.is_none() && matches!(organ, Organ::Kidney | Organ::Bladder);
    let (n, n_sub) = if unnamed { (0, None) } else { (nodes?.degree()?, nodes?.sub()) };
    let micrometastasis = nodes.is_some_and(|nodes| nodes.has_suffix("mi"));
    match organ {
        Organ::Breast => breast(t, n, micrometastasis),
        Organ::Bowel => bowel((t, t_sub), (n, n_sub)),
        Organ::Lung => lung((t, t_sub), n),
        Organ::Kidney => Some(match (t, n) {
            (4, _) => "IV",
            (3, _) | (_, 1..) => "III",
            (2, _) => "II",
            (1, _) => "I",
            _ => return None,
        }),
        Organ::Pancreas => Some(match (t, n) {
            (4, _) | (_, 2..) => "III",
            (_, 1) => "IIB",
            (3, 0) => "IIA",
            (2, 0) => "IB",
            (1, 0) => "IA",
            _ => return None,
        }),
        Organ::Bladder => match (t, n) {
            // T4b is stage IVA with or without nodes.
            (4, _) if t_sub != Some('a') => None,
            (_, 1..) | (3, 0) => Some("III"),
            (2, 0) => Some("II"),
            (1, 0) => Some("I"),
            _ => None,
        },
        Organ::Prostate => ((3..=4).contains(&t) && n == 0).then_some("III"),
        Organ::Melanoma => (n > 0).then_some("III"),
    }
}

fn breast(t: u8, n: u8, micrometastasis: bool) -> Option<&'static str> {
    Some(match (t, n) {
        (_, 3) => "IIIC",
        (4, _) => "IIIB",
        (_, 2) | (3, 1) => "IIIA",
        (0 | 1, 1) if micrometastasis => "IB",
        (3, 0) | (2, 1) => "IIB",
        (2, 0) | (0 | 1, 1) => "IIA",
        (1, 0) => "IA",
        _ => return None,
    })
}

fn bowel((t, t_sub): (u8, Option<char>), (n, n_sub): (u8, Option<char>)) -> Option<&'static str> {
    Some(match (t, t_sub, n, n_sub) {
        (1 | 2, _, 0, _) => "I",
        (3, _, 0, _) => "IIA",
        (4, Some('a'), 0, _) => "IIB",
        (4, Some('b'), 0, _) => "IIC",
        (4, _, 0, _) => "II",
        (1 | 2, _, 1, _) | (1, _, 2, Some('a')) => "IIIA",
        (4, Some('b'), ..) | (4, Some('a'), 2, _) | (3, _, 2, Some('b')) => "IIIC",
        (3, _, 1, _) | (4, Some('a'), 1, _) | (2 | 3, _, 2, Some('a')) | (1 | 2, _, 2, Some('b')) => "IIIB",
        (1.., _, 1.., _) => "III",
        _ => return None,
    })
}

fn lung((t, t_sub): (u8, Option<char>), n: u8) -> Option<&'static str> {
    Some(match (t, t_sub, n) {
        (1, Some('a'), 0) => "IA1",
        (1, Some('b'), 0) => "IA2",
        (1, Some('c'), 0) => "IA3",
        (1, _, 0) => "IA",
        (2, Some('a'), 0) => "IB",
        (2, Some('b'), 0) => "IIA",
        (3, _, 0) | (1 | 2, _, 1) => "IIB",
        (3, _, 1) | (4, _, 0 | 1) | (1 | 2, _, 2) => "IIIA",
        (3 | 4, _, 2) | (1 | 2, _, 3) => "IIIB",
        (3 | 4, _, 3) => "IIIC",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::find, Organ};

    #[test]
    fn groups_of_the_manual() {
        for (organ, formula, expected) in [
            (Organ::Breast, "pT2 pN0 MX", Some("IIA")),
            (Organ::Breast, "pT3 pN2a", Some("IIIA")),
            (Organ::Breast, "pT1c pN1mi", Some("IB")),
            (Organ::Breast, "pT1b pN0 (i+)", Some("IA")),
            (Organ::Breast, "pTis pN0", Some("0")),
            (Organ::Breast, "pT2 pNX", None),
            (Organ::Bowel, "pT3 pN0", Some("IIA")),
            (Organ::Bowel, "pT4b pN1a", Some("IIIC")),
            (Organ::Bowel, "pT4 pN1", Some("III")),
            (Organ::Bowel, "pT3 pN2", Some("III")),
            (Organ::Bowel, "T3 N1 M1a", Some("IV")),
            (Organ::Lung, "cT1b N0 M0", Some("IA2")),
            (Organ::Lung, "T2 N0", None),
            (Organ::Lung, "T4 N3", Some("IIIC")),
            (Organ::Kidney, "pT3a pN0", Some("III")),
            (Organ::Kidney, "pT1a pNX", None),
            (Organ::Kidney, "pT1a", Some("I")),
            (Organ::Pancreas, "ypT2 ypN1", Some("IIB")),
            (Organ::Prostate, "pT2 pN0", None),
            (Organ::Melanoma, "pT3b N1a", Some("III")),
        ] {
            assert_eq!(find(formula)[0].group(organ), expected, "{formula}");
        }
    }
}
