//! Reads the diagnosis: the malignancy that the note is about, in the note's words where possible.

use std::ops::Range;

use super::{
    diagnosis_status::{DiagnosisStatus, diagnosis_status, is_of_study},
    in_situ,
    lexicon::{Mention, Term, TermKind},
    masses::{self, OFTEN_METASTATIC},
    meanings,
    specimen::{following_site, follows_organ, has_gleason, specimen_organ, stated_origin},
    view::NoteView,
};
use crate::extraction::{Assertion, Field};

/// The malignancy that the note is about.
#[derive(Debug, Default)]
pub(crate) struct Diagnosis {
    /// Site and histology.
    pub(crate) value: Option<String>,
    /// The organ of the primary tumour, by its name in the list of sites.
    pub(crate) organ: Option<&'static str>,
    /// Whether it is a malignancy of blood or lymph.
    pub(crate) haematologic: bool,
    /// Whether the note mentions a malignancy without naming it.
    pub(crate) unnamed: bool,
    /// Whether every mention describes it as past.
    pub(crate) past: bool,
}

/// A mention of a malignancy in the note.
pub(super) struct NamedMalignancy {
    pub(super) value: String,
    pub(super) organ: Option<&'static str>,
    pub(super) term: &'static Term,
    /// Whether the name says more than the organ.
    pub(super) histology: bool,
    pub(super) assertion: Assertion,
    /// The range of the name in the folded text.
    pub(super) range: Range<usize>,
    /// Words of the value without an organ that only the heading of the specimen names.
    words: usize,
    /// The side of a paired organ named directly after it, with a space: "left ".
    side: &'static str,
    pub(super) status: DiagnosisStatus,
}

impl NamedMalignancy {
    fn in_short(&self, measured: bool) -> in_situ::Name<'_> {
        let past = self.assertion == Assertion::Historical;
        let histology = self.histology && (measured || !self.value.contains("melanoma"));
        in_situ::Name { value: &self.value, histology, past, side: self.side }
    }
}

/// Points of one mention for the choice among several malignancies; [`FIRST`] is a bonus for the first mention.
const PRESENT: usize = 10;
const PAST: usize = 3;
const FIRST: usize = 12;

/// Reads the diagnosis of a note.
pub(crate) fn read(view: &NoteView<'_>) -> Diagnosis {
    among(view, &names(view))
}

/// Returns the diagnosis of a note that names these malignancies.
pub(super) fn among(view: &NoteView<'_>, names: &[NamedMalignancy]) -> Diagnosis {
    let unnamed = names.iter().any(|name| name.term.is("weak") && name.assertion != Assertion::Historical);
    let Some(organ_key) = leading(names) else { return Diagnosis { unnamed, ..Diagnosis::default() } };
    let group: Vec<&NamedMalignancy> = names.iter().filter(|name| key(name) == Some(organ_key)).collect();
    // The thickness of a melanoma is that of an invasive one; without it the word may describe one in situ.
    let measured = view.folded.contains("breslow");
    let group = in_situ::without_component(&group, |name| name.in_short(measured));
    let Some(best) = group.iter().min_by_key(|name| {
        (!name.histology, name.assertion == Assertion::Historical, 5 - name.words.min(5), name.range.start)
    }) else {
        return Diagnosis { unnamed, ..Diagnosis::default() };
    };
    let mut value = best.value.clone();
    if best.term.is("subtype") {
        value = match group.iter().find(|name| name.term.name == "breast cancer") {
            Some(_) => format!("breast cancer ({value})"),
            None if value.contains("breast") => value,
            None => format!("{value} of the {}breast", best.side),
        };
    } else if !best.histology {
        let bare = names.iter().find(|name| name.organ.is_none() && name.term.is("head") && name.histology);
        if let Some(bare) = bare {
            value = format!("{value} ({})", bare.value);
        }
    }
    let organ = group.iter().find_map(|name| name.organ);
    // A name without an organ is of the organ that was operated on.
    let operated = operated_organ(view).filter(|_| organ.is_none() && best.term.is("head") && !best.term.is("weak"));
    if let Some(operated) = operated {
        let histology = names.iter().find(|name| name.organ.is_none() && name.term.is("head") && name.histology);
        let bare = histology.filter(|_| !best.histology).map_or(&best.value, |name| &name.value);
        value = format!("{bare} of the {operated}");
    }
    let organ = organ.or(operated);
    let past = group.iter().all(|name| name.assertion == Assertion::Historical);
    Diagnosis { value: Some(value), organ, haematologic: best.term.is("haem"), unnamed, past }
}

/// Returns the key that groups mentions of one malignancy: its organ or, if it has none, its name.
pub(super) fn key(name: &NamedMalignancy) -> Option<&'static str> {
    if name.term.is("haem") {
        return Some("blood and lymph");
    }
    match name.organ {
        Some(organ) => Some(organ),
        None if name.term.is("whole") || (name.term.is("head") && !name.term.is("weak")) => Some(name.term.name),
        None => None,
    }
}

/// Returns the key of the malignancy that the note is about: the one with the most points, of equals the first. Present
/// mentions give more points than past ones.
fn leading(names: &[NamedMalignancy]) -> Option<&'static str> {
    let mut scores: Vec<(&'static str, usize)> = Vec::new();
    let revised = names.iter().any(|name| name.status == DiagnosisStatus::First);
    for name in names {
        let Some(key) = key(name) else { continue };
        let points = match (name.assertion, name.term.is("minor"), name.organ.is_none() && name.term.is("head")) {
            _ if name.status == DiagnosisStatus::First => PAST,
            _ if revised && name.status == DiagnosisStatus::Final => PRESENT + FIRST,
            (Assertion::Historical, _, _) | (_, true, _) | (_, _, true) => PAST,
            _ => PRESENT,
        };
        let first = if scores.is_empty() && points == PRESENT { FIRST } else { 0 };
        match scores.iter_mut().find(|(scored, _)| *scored == key) {
            Some((_, score)) => *score += points,
            None => scores.push((key, points + first)),
        }
    }
    let most = scores.iter().map(|(_, score)| *score).max()?;
    scores.into_iter().find(|(_, score)| *score == most).map(|(key, _)| key)
}

/// Returns every malignancy of the patient that the note names.
pub(super) fn names(view: &NoteView<'_>) -> Vec<NamedMalignancy> {
    let terms = view.terms(TermKind::Cancer);
    let corroborated = is_corroborated(view);
    let mut names: Vec<NamedMalignancy> = Vec::new();
    let mut denied: Vec<&'static str> = Vec::new();
    for (index, mention) in terms.iter().enumerate() {
        let term = mention.term;
        let is_backed = corroborated || view.is_part_of_oncology_note;
        let lone_acronym = term.is_acronym()
            && term.spelled.len() <= AMBIGUOUS
            && !is_backed
            && (!term.is("telling") || meanings::is_counted_or_doubted(view, mention))
            && !is_corroborated_beside(view, mention);
        // In a note on cancer the acronym is the malignancy, whatever is beside it.
        let is_another = meanings::is_another(view, mention)
            && (!(term.is("telling") && is_backed) || meanings::is_spelled_otherwise(view, mention));
        if term.is("adj") || term.is("decoy") || lone_acronym || is_of_study(view, mention) || is_another {
            continue;
        }
        let assertion = view.assertion(&mention.range, Field::CancerType);
        if assertion == Assertion::Negated {
            denied.push(term.name);
        } else if assertion.in_record(Field::CancerType) || assertion == Assertion::Historical {
            names.push(named(view, terms.get(..index).unwrap_or_default(), mention, assertion));
        }
    }
    // Drop a suspicion that the note itself rules out: "Concern for lymphoma; biopsy showed no lymphoma".
    let certain = names.iter().any(|name| name.assertion == Assertion::Present);
    names.retain(|name| certain || name.assertion != Assertion::Probable || !denied.contains(&name.term.name));
    names
}

/// Maximum length of acronyms that are ambiguous: MCL is also a ligament, NEC a disease of the gut, CCA an artery, MM a
/// unit. Those with the tag `telling` mostly mean the malignancy; `lexicons/meanings.txt` has their other meanings.
const AMBIGUOUS: usize = 3;

/// Returns whether the words beside a short acronym show that it is a malignancy: its stage, its organ, a course of
/// disease, or words that introduce a diagnosis.
fn is_corroborated_beside(view: &NoteView<'_>, mention: &Mention) -> bool {
    const COURSE: &str = "stage|induction|remission|relapsed|refractory|achieved cr|in cr|blast|metasta|t1|t2|t3|t4|\
                          er positive|er negative|biopsy proven|bclc|child pugh|child-pugh|binet|r-iss|ann arbor|\
                          wild type|wild-type|methylated|mutant|mutated|mutation|fusion|rearrange|amplified| wt|mss|msi-";
    const INTRODUCING: [&str; 6] = ["diagnosis: ", "diagnosis of ", "diagnosed with ", "dx: ", "dx of ", "dx "];
    let near = view.near(&mention.range, 24, 40);
    let before = view.folded.before(mention.range.start, 5);
    let met = before.strip_suffix("met ").is_some_and(|before| !before.ends_with(char::is_alphanumeric));
    let course = met || COURSE.split('|').any(|word| near.contains(word));
    let organ_next = following_site(view, &mention.range).is_some();
    let before = view.folded.before(mention.range.start, 16);
    let introduced = INTRODUCING.iter().any(|words| before.ends_with(words));
    let own_organ = mention.term.tag("site");
    (course || introduced) && (organ_next || mention.term.is("haem") || own_organ.is_some())
        || (mention.term.is("head") && follows_organ(view, mention))
        || own_organ.is_some_and(|organ| is_beside_own_organ(view, mention, organ))
}

/// Returns whether the organ of an acronym is directly before it, or beside it with a grade or the operation that took
/// the tissue: "Rt breast ILC", "Breast, left, biopsy: IDC, grade 2".
fn is_beside_own_organ(view: &NoteView<'_>, mention: &Mention, organ: &str) -> bool {
    const SIGNS: [&str; 7] = ["grade", "biops", "ectomy", "excision", "turbt", "resection", "histolog"];
    const BEFORE: usize = 48;
    const AFTER: usize = 40;
    let (before, after) =
        (view.folded.before(mention.range.start, BEFORE), view.folded.after(mention.range.end, AFTER));
    let stretch = mention.range.start - before.len()..mention.range.end + after.len();
    let sites = view.terms_in(TermKind::Site, &stretch);
    // "Rt breast ILC" needs no other sign.
    let directly = |site: &Mention| site.range.end + 1 == mention.range.start;
    sites.iter().any(|site| site.term.tag("primary") == Some(organ) && directly(site))
        || sites.iter().any(|site| site.term.tag("primary") == Some(organ))
            && SIGNS.iter().any(|sign| before.contains(sign) || after.contains(sign))
}

/// Returns whether the note mentions a malignancy in words, or its treatment, spread or markers, so that short acronyms
/// count.
fn is_corroborated(view: &NoteView<'_>) -> bool {
    let in_words = |mention: &Mention| {
        let assertion = || view.assertion(&mention.range, Field::CancerType);
        !mention.term.is_acronym()
            && (mention.term.is("whole") || mention.term.is("head"))
            && !matches!(assertion(), Assertion::Negated | Assertion::Family)
    };
    view.terms(TermKind::Cancer).iter().any(in_words)
        || view.terms(TermKind::Treatment).iter().any(|mention| mention.term.is("onco"))
        || view.terms(TermKind::Spread).iter().any(|mention| mention.term.is("metastatic") || mention.term.is("sited"))
        || view.terms(TermKind::Marker).iter().any(|mention| mention.term.is("fusionmark"))
}

/// Joins the words before a head into a name: "high-grade serous" + "ovarian" + "carcinoma".
fn named(view: &NoteView<'_>, before: &[Mention], head: &Mention, assertion: Assertion) -> NamedMalignancy {
    let head_organ = head.term.tag("site");
    let mut words: Vec<&str> = vec![head.term.spelled];
    let mut organ = head_organ;
    let mut histology = says_histology(head.term);
    let mut start = head.range.start;
    let sites = view.terms(TermKind::Site);
    let mut before = before;
    let origin = stated_origin(view, head.range.end).filter(|_| head_organ.is_none() && !head.term.is("haem"));
    if let Some(origin) = origin {
        organ = origin.term.tag("primary");
        words.insert(0, origin.term.spelled);
    }
    loop {
        let site = sites.get(..sites.partition_point(|site| site.range.end < start)).and_then(<[_]>::last);
        let adjective = before.split_last().filter(|(last, _)| last.term.is("adj") && touches(view, last, start));
        if let Some((last, rest)) = adjective {
            if !last.term.is("state") && !is_plain_grade(last.term.spelled) {
                words.insert(0, last.term.spelled);
            }
            histology |= last.term.name == "(histology)" || last.term.is("skin");
            start = last.range.start;
            before = rest;
        } else if let Some(site) = site.filter(|site| {
            // "cM1 (liver) rectal cancer": an organ in brackets describes something else.
            let is_aside = head_organ.is_some() && view.folded.slice(site.range.end..start).starts_with(')');
            let unnamed =
                head_organ.is_none() || (head.term.is("whole") && !is_aside && !breaks_line(view, site, start));
            unnamed && origin.is_none() && organ == head_organ && touches(view, site, start)
        }) {
            let Some(primary) = site.term.tag("primary") else { break };
            if head_organ == Some(primary) || head.term.is("haem") {
                break;
            }
            organ = Some(primary);
            words.insert(0, if site.term.spelled.contains("lobe") { primary } else { site.term.spelled });
            start = site.range.start;
        } else {
            break;
        }
    }
    let in_situ =
        [" in situ", " in-situ"].into_iter().find(|words| view.folded.after(head.range.end, 8).starts_with(words));
    let head_range = head.range.start..head.range.end + in_situ.map_or(0, str::len);
    if in_situ.is_some() {
        words.push("in situ");
    }
    let mut value = melanoma_of_skin(&words).unwrap_or_else(|| words.join(" "));
    if let Some(plain) = value.strip_prefix("metastatic ") {
        value = plain.to_owned();
    }
    if organ.is_none() && head.term.is("head") {
        if let Some(site) = following_site(view, &head_range) {
            organ = site.term.tag("primary");
            value = format!("{value} of the {}{}", side_before(view, site), organ_name(site.term));
        } else if head.term.name == "adenocarcinoma" && has_gleason(view, &head_range) {
            organ = Some("prostate");
            value = format!("{value} of the prostate");
        } else if let Some(primary) = masses::nearby_primary(view, &head_range)
            .filter(|primary| !head.term.is("weak") && !is_of_metastasis(view, start, primary))
        {
            organ = Some(primary);
            value = format!("{value} of the {primary}");
        }
    }
    let mut length = value.split(' ').count();
    let specimen =
        (organ.is_none() && head.term.is("head") && !head.term.is("weak")).then(|| specimen_organ(view, start));
    if let Some(primary) = specimen.flatten() {
        organ = Some(primary);
        value = format!("{value} of the {primary}");
        length = length.saturating_sub(1);
    }
    let side = following_site(view, &head_range).map_or("", |site| side_before(view, site));
    let status = diagnosis_status(view, &(start..head_range.end));
    let range = start..head_range.end;
    NamedMalignancy { value, organ, term: head.term, histology, assertion, range, words: length, side, status }
}

/// Returns whether the name that begins at `start` is that of a metastasis in an organ: "craniotomy: metastatic
/// adenocarcinoma".
fn is_of_metastasis(view: &NoteView<'_>, start: usize, organ: &str) -> bool {
    let is_called =
        || view.folded.after(start, 10).starts_with("metasta") || view.folded.before(start, 14).contains("metasta");
    OFTEN_METASTATIC.contains(&organ) && is_called()
}

/// Returns whether a name says more than "cancer of this organ".
fn says_histology(term: &Term) -> bool {
    const HISTOLOGIES: &str =
        "adeno|squamous|serous|germ cell|endometrioid|mucinous|clear cell|sarcoma|small cell|stromal";
    if term.is("head") {
        return term.is("specific") || term.name == "adenocarcinoma";
    }
    let names_histology = HISTOLOGIES.split('|').any(|histology| term.spelled.contains(histology));
    !term.is("generic") && (names_histology || !term.name.ends_with(" cancer"))
}

/// Returns the name of a melanoma of the skin with its growth pattern in brackets after it.
fn melanoma_of_skin(words: &[&str]) -> Option<String> {
    let joined = words.join(" ");
    let joined = joined.strip_prefix("cutaneous ").unwrap_or(&joined);
    let pattern = joined.strip_suffix(" melanoma")?;
    matches!(pattern, "superficial spreading" | "nodular" | "lentigo maligna" | "acral lentiginous" | "acral")
        .then(|| format!("cutaneous melanoma ({pattern})"))
}

/// Returns the side that the note writes directly before an organ, with a space.
fn side_before(view: &NoteView<'_>, site: &Mention) -> &'static str {
    let before = view.folded.before(site.range.start, 6);
    match before {
        _ if before.ends_with("left ") => "left ",
        _ if before.ends_with("right ") => "right ",
        _ => "",
    }
}

/// Returns the organ of the operations for malignancies that the patient had, if it is only one.
fn operated_organ(view: &NoteView<'_>) -> Option<&'static str> {
    let mut organs = view
        .terms(TermKind::Treatment)
        .iter()
        .filter(|mention| mention.term.is("surgery") && mention.term.is("onco"))
        .filter(|mention| view.assertion(&mention.range, Field::Treatment) == Assertion::Present)
        .filter_map(|mention| mention.term.tag("organ"));
    let first = organs.next()?;
    organs.all(|organ| organ == first).then_some(first)
}

/// Returns whether a line ends before a name: "Metastases: lung", and on the next line "Prostate cancer".
fn breaks_line(view: &NoteView<'_>, site: &Mention, start: usize) -> bool {
    view.folded.quote(&(site.range.end..start)).contains('\n')
}

fn touches(view: &NoteView<'_>, mention: &Mention, start: usize) -> bool {
    matches!(view.folded.slice(mention.range.end..start), " " | ", " | "/" | ") " | " (")
}

/// Returns whether a word is a grade, which cancer registries keep separate from the name.
fn is_plain_grade(word: &str) -> bool {
    word.ends_with("ly differentiated")
        || word.ends_with("y-differentiated")
        || word.starts_with("well")
        || word.contains("grade")
        || word == "differentiated"
}

/// Returns the organ as a diagnosis names it: a lobe of the lung becomes "lung".
fn organ_name(site: &Term) -> &'static str {
    match site.tag("primary") {
        Some(primary)
            if site.spelled.contains("lobe") || site.spelled.bytes().all(|byte| byte.is_ascii_uppercase()) =>
        {
            primary
        }
        Some(_) if site.spelled == "sigmoid" => "sigmoid colon",
        _ => site.spelled,
    }
}
