//! Judges an engine's record against the note: grounds every value, removes the values that the note contradicts,
//! and warns of doubtful values. It adds no value that no engine gave.

use std::{collections::HashSet, ops::Range, sync::Arc};

use super::{
    Assertion, Basis, CalendarDate, CodeTable, Confidence, Context, Evidence, Field, Finding, Note, OffsetUnit, Record,
    Warning, WarningCode, bounds, codes,
    course::{CourseInput, CourseReason, Courses},
    dates::NoteDates,
    foreign_text::ForeignText,
    ground::{self, Grounded, Grounder},
    readable::{Readable, unticked},
    superseded,
    tnm::{self, TnmFormula},
    tumours::{self, Tumour, TumourReader, Tumours},
    warnings,
};

/// The record without contradicted values, with its evidence and warnings.
#[derive(Debug)]
pub(super) struct JudgedRecord {
    pub(super) record: Record,
    pub(super) evidence: Evidence,
    pub(super) warnings: Vec<Warning>,
    pub(super) tnm: Vec<TnmFormula>,
    pub(super) tumours: Vec<Tumour>,
}

/// What `judge` uses for every note: a reader of tumours and the operator's codes.
#[derive(Clone, Debug, Default)]
pub(super) struct JudgeAids {
    /// Reads the tumours if the engine read none.
    pub(super) tumour_reader: Option<Arc<dyn TumourReader>>,
    /// The codes of the operator's files.
    pub(super) code_table: Option<Arc<CodeTable>>,
}

/// What judging takes into account besides the record.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct JudgeInput<'a> {
    /// Values that the engine itself left out because of how the note asserts them.
    pub(super) withheld: &'a [(Field, String)],
    /// Values that the engine left out because they are another tumour's.
    pub(super) of_other_tumours: &'a [(Field, String)],
    /// The records of the chunks of a long note. Their merge keeps the most specific of several wordings, which may be
    /// another tumour's.
    pub(super) chunk_records: &'a [Record],
    /// The tumours that the engine read.
    pub(super) tumours: Option<&'a Tumours>,
    /// Acronyms that mean something else, if the tumours are another reader's.
    pub(super) homonyms: &'a [Range<usize>],
    /// The context of the readable text, if it is known.
    pub(super) context: Option<&'a Context<'a>>,
    /// Reads the tumours if the engine read none.
    pub(super) tumour_reader: Option<&'a dyn TumourReader>,
    /// The codes of the operator's files.
    pub(super) code_table: Option<&'a CodeTable>,
    /// The unit of `start` and `end`.
    pub(super) unit: OffsetUnit,
    /// The day on which the note was written; it resolves dates such as "two months ago".
    pub(super) note_date: Option<CalendarDate>,
}

/// A note and the facts about each place in it, from which a finding gets its quote, tumour, date, course and codes.
struct FindingSources<'a> {
    note: &'a Note,
    /// The readable text that spans refer to; `None` if they refer to the note itself.
    read: Option<&'a Readable<'a>>,
    foreign: &'a ForeignText,
    tumours: &'a Tumours,
    dates: &'a NoteDates<'a>,
    courses: &'a Courses,
    code_table: Option<&'a CodeTable>,
    unit: OffsetUnit,
}

/// Judges a record as if a model had written it, and returns it without the values that the note contradicts.
#[must_use]
pub(crate) fn record_after_judging(note: &Note, record: Record, tumour_reader: &dyn TumourReader) -> Record {
    let input = JudgeInput { tumour_reader: Some(tumour_reader), ..JudgeInput::default() };
    judge(note, record, input, |_, _| None).record
}

/// Judges a record, and also the values that the engine itself left out.
pub(super) fn judge(
    note: &Note,
    mut record: Record,
    input: JudgeInput<'_>,
    confidence: impl Fn(Field, &str) -> Option<Confidence>,
) -> JudgedRecord {
    let JudgeInput { unit, code_table, .. } = input;
    let mut evidence = Evidence::default();
    let read = Readable::of(note);
    let foreign = ForeignText::of(note);
    let note_grounder = Grounder::with_context(read.note(), input.context);
    let dates = NoteDates::of(note, &read, unit, input.note_date, || note_grounder.context().sentences());
    let (mut tumours, homonyms) = tumours_of(&input, read.note(), &note_grounder);
    let of_index = |tumour: Option<usize>| tumour.is_none_or(|tumour| tumours.index() == Some(tumour));
    let without_others = (tumours.are_several() && tumours.index().is_some())
        .then(|| read.note().part(tumours.only(read.note().as_str(), of_index)));
    if tumours.are_several() && input.chunk_records.len() > 1 {
        record = joined_records(input.chunk_records);
    }
    let (further, mut warnings) = bounds::limit_values(&mut record);
    let mut grounded = note_grounder.ground(&record);
    for one in &mut grounded {
        one.exclude(&homonyms);
    }
    tumours.leave_out(&mut grounded, |field, value| {
        let mut found = ground::ground_parts(without_others.as_ref()?, std::iter::once((field, value)));
        found.pop().filter(|one| found.is_empty() && one.in_record() && !one.spans.is_empty())
    });
    let courses = courses(note, &read, &note_grounder, &grounded, &dates, unit);
    let sources = FindingSources {
        note,
        read: Some(&read),
        foreign: &foreign,
        tumours: &tumours,
        dates: &dates,
        courses: &courses,
        code_table,
        unit,
    };
    let grounded_in_original = in_original(note, &read, &mut grounded);
    for one in &grounded {
        add_findings(&mut evidence, &sources, one, confidence(one.field, one.value));
    }
    for one in &grounded_in_original {
        add_findings(&mut evidence, &FindingSources { read: None, ..sources }, one, confidence(one.field, one.value));
    }
    grounded.extend(grounded_in_original);
    let mut contradicted: Vec<Field> = grounded.iter().filter(|one| !one.in_record()).map(|one| one.field).collect();
    let (superseded, conflicts) = superseded::mark_superseded(&mut evidence, tumours.are_several());
    contradicted.extend(superseded);
    drop(grounded);
    for field in Field::ALL {
        let findings = evidence.get(field);
        if contradicted.contains(&field) {
            warnings.push(contradiction(field, findings));
            *record.get_mut(field) = joined_values(findings);
        }
        warnings.extend(unsupported(field, findings));
    }
    for one in note_grounder.ground_parts(further.iter().map(|(field, value)| (*field, value.as_str()))) {
        add_findings(&mut evidence, &sources, &one.left_out(), None);
    }
    let of_others = input.of_other_tumours.iter().map(|(field, value)| (*field, value.as_str()));
    for one in note_grounder.ground_parts(of_others).into_iter().filter_map(|one| tumours.keep_others(one)) {
        add_findings(&mut evidence, &sources, &one, None);
    }
    let left_out = input.withheld.iter().map(|(field, value)| (*field, value.as_str()));
    for one in note_grounder.ground_parts(left_out) {
        if input.of_other_tumours.iter().any(|(field, value)| *field == one.field && value == one.value) {
            continue;
        }
        // A withheld value stays out of the record. The evidence shows it only if the note contains and contradicts it.
        let contradicted = !one.in_record() || one.assertion.is_some_and(|assertion| !assertion.in_record(one.field));
        if contradicted && !one.spans.is_empty() {
            add_findings(&mut evidence, &sources, &one.left_out(), None);
        }
    }
    let is_unknown = |finding: &Finding| finding.assertion == Some(Assertion::Unknown);
    let unassessed: usize = Field::ALL.iter().map(|&field| count_values(evidence.get(field), is_unknown)).sum();
    if unassessed > 0 {
        warnings.push(warnings::unassessed_language(unassessed));
    }
    let of_formula = |range: &Range<usize>| (tumours.at(range.start).map(tumours::id), dates.near(range, Field::Stage));
    let tnm = tnm::stated(note, &read, unit, || note_grounder.context(), of_formula);
    warnings.extend(conflicts.iter().map(warnings::conflict));
    if tumours.are_several() {
        let names: Vec<&str> = tumours.named().iter().map(|tumour| tumour.name.as_str()).collect();
        warnings.push(warnings::several_primaries(&names, tumours.index().and_then(|index| names.get(index).copied())));
    }
    let tumours = tumours::shown(note, &read, &tumours, unit, code_table, |name| dates.near(name, Field::CancerType));
    JudgedRecord { record, evidence, warnings, tnm, tumours }
}

/// Takes out the values that are not found in the readable text, and returns them as they are found in the note itself:
/// a model may copy a value with its markup.
pub(super) fn in_original<'a>(
    note: &'a Note,
    read: &Readable<'_>,
    grounded: &mut Vec<Grounded<'a>>,
) -> Vec<Grounded<'a>> {
    if !read.is_made() {
        return Vec::new();
    }
    let not_found = grounded.extract_if(.., |one| one.basis == Basis::Unsupported).map(|one| (one.field, one.value));
    let unticked = unticked(note.as_str());
    let mut found = ground::ground_parts(note, not_found);
    for one in &mut found {
        one.exclude(&unticked);
    }
    found
}

/// Returns the tumours of a text, and the acronyms in it that mean something else: those of the reading that identified
/// the tumours, if there is one.
fn tumours_of(input: &JudgeInput<'_>, text: &Note, grounder: &Grounder<'_>) -> (Tumours, Vec<Range<usize>>) {
    match (input.tumours, input.tumour_reader) {
        (Some(tumours), _) => (tumours.clone(), input.homonyms.to_vec()),
        (None, Some(reader)) => {
            let signs = reader.signs(text, grounder.context());
            (Tumours::of(text.as_str(), &signs), signs.homonyms)
        }
        (None, None) => (Tumours::default(), Vec::new()),
    }
}

/// Adds one finding for each span of a value, with its quote from the note; a value without spans has one finding too.
fn add_findings(
    evidence: &mut Evidence,
    sources: &FindingSources<'_>,
    grounded: &Grounded<'_>,
    confidence: Option<Confidence>,
) {
    let FindingSources { note, read, foreign, tumours, dates, courses, code_table, unit } = *sources;
    let mut offsets = note.offsets(unit);
    let list = evidence.get_mut(grounded.field);
    let codes = match grounded.basis {
        Basis::Unsupported => Vec::new(),
        _ => codes::with_files(grounded.field, grounded.value, code_table),
    };
    let finding = Finding {
        value: grounded.value.to_owned(),
        in_record: grounded.in_record(),
        basis: grounded.basis,
        assertion: grounded.assertion,
        rule: grounded.rule,
        quote: None,
        start: None,
        end: None,
        tumour: None,
        confidence,
        date: None,
        codes,
        course: None,
    };
    if grounded.spans.is_empty() {
        list.push(finding);
        return;
    }
    for span in &grounded.spans {
        // The places of the tumours are those of the readable text.
        let own = read.is_some() && grounded.assertion != Some(Assertion::Family);
        let tumour = tumours.at(span.start()).filter(|_| own).map(tumours::id);
        let range = span.start()..span.end();
        let date = read.and_then(|_| dates.near(&range, grounded.field));
        let has_course =
            grounded.field == Field::Treatment && read.is_some() && grounded.assertion.is_some_and(is_given);
        let course = if has_course { courses.at(&range) } else { None };
        let range = read.map_or(range.clone(), |read| read.origin(range));
        let Some(span) = note.span(range.start, range.end) else { continue };
        let (start, end) = (Some(offsets.convert(span.start())), Some(offsets.convert(span.end())));
        let assertion = finding.assertion.map(|assertion| foreign.reassess(assertion, span.start()..span.end()));
        list.push(Finding {
            quote: Some(span.quote().to_owned()),
            start,
            end,
            assertion,
            tumour,
            date,
            course,
            ..finding.clone()
        });
    }
}

/// Returns whether a treatment with this assertion was given to the patient.
const fn is_given(assertion: Assertion) -> bool {
    matches!(assertion, Assertion::Present | Assertion::Probable | Assertion::Historical | Assertion::OtherTumour)
}

/// Reads the courses of the treatments that were given.
fn courses(
    note: &Note,
    read: &Readable<'_>,
    note_grounder: &Grounder<'_>,
    grounded: &[Grounded<'_>],
    dates: &NoteDates<'_>,
    unit: OffsetUnit,
) -> Courses {
    let places = |field: Field| {
        let of_field = grounded.iter().filter(move |one| one.field == field && one.assertion.is_some_and(is_given));
        of_field.flat_map(|one| one.spans.iter().map(|span| (span.start()..span.end(), one.value)))
    };
    let treatments: Vec<_> = places(Field::Treatment).map(|(range, _)| range).collect();
    let input = CourseInput {
        text: read.note().as_str(),
        sentences: if treatments.is_empty() { &[] } else { note_grounder.context().sentences() },
        treatments,
        responses: places(Field::Response).collect(),
    };
    let quoted = |range: Range<usize>| {
        let (origin, mut offsets) = (read.origin(range), note.offsets(unit));
        let quote = note.span(origin.start, origin.end)?.quote().to_owned();
        Some(CourseReason { quote, start: offsets.convert(origin.start), end: offsets.convert(origin.end) })
    };
    Courses::of(input, |range| dates.near(range, Field::Treatment), quoted)
}

/// Returns the record with every value of several records, each once.
fn joined_records(records: &[Record]) -> Record {
    let mut all = Record::default();
    for field in Field::ALL {
        let mut seen = HashSet::new();
        let values = records.iter().flat_map(|record| record.values(field));
        let values: Vec<&str> = values.filter(|value| seen.insert(*value)).collect();
        *all.get_mut(field) = (!values.is_empty()).then(|| values.join("; "));
    }
    all
}

/// Returns the field's value from the findings that are in the record.
fn joined_values(findings: &[Finding]) -> Option<String> {
    let mut seen = HashSet::new();
    let values = findings.iter().filter(|finding| finding.in_record).map(|finding| finding.value.as_str());
    let kept: Vec<&str> = values.filter(|value| seen.insert(*value)).collect();
    (!kept.is_empty()).then(|| kept.join("; "))
}

/// Returns how many different values the matching findings have.
fn count_values(findings: &[Finding], matches: impl Fn(&Finding) -> bool) -> usize {
    let values = findings.iter().filter(|finding| matches(finding)).map(|finding| finding.value.as_str());
    values.collect::<HashSet<_>>().len()
}

fn unsupported(field: Field, findings: &[Finding]) -> Option<Warning> {
    let count = count_values(findings, |finding| finding.basis == Basis::Unsupported);
    (count > 0).then(|| Warning {
        code: WarningCode::UnsupportedValue,
        field: Some(field),
        message: format!(
            "{count} of {} value(s) of {} could not be found in the note; check before use.",
            count_values(findings, |_| true),
            field.name()
        ),
    })
}

fn contradiction(field: Field, findings: &[Finding]) -> Warning {
    let count = count_values(findings, |finding| !finding.in_record);
    let mut wordings: Vec<&str> = Vec::new();
    for assertion in findings.iter().filter(|finding| !finding.in_record).filter_map(|finding| finding.assertion) {
        let word = wording(assertion);
        if !wordings.contains(&word) {
            wordings.push(word);
        }
    }
    Warning {
        code: WarningCode::ContradictedValue,
        field: Some(field),
        message: format!(
            "{count} value(s) of {} were left out because of their assertions in the note: {}. See `evidence`.",
            field.name(),
            wordings.join(", ")
        ),
    }
}

/// Returns the wording of an assertion in warnings.
fn wording(assertion: Assertion) -> &'static str {
    match assertion {
        Assertion::Present => "present",
        Assertion::Probable => "probable",
        Assertion::Uncertain => "uncertain",
        Assertion::Historical => "historical",
        Assertion::Planned => "planned, not given",
        Assertion::Declined => "declined or contraindicated",
        Assertion::Negated => "negated",
        Assertion::NotTested => "not tested",
        Assertion::WildType => "wild type",
        Assertion::Family => "a relative's",
        Assertion::OtherTumour => "of another tumour",
        Assertion::Superseded => "superseded by a later one",
        Assertion::Unknown => "unknown",
    }
}

#[cfg(test)]
mod tests;
