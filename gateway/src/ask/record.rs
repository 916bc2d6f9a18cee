//! Answers a question from the record of a note, without a model: the value, its words, its date, and what the note
//! says of it. The answer says so if the note denies or plans the value, or states it of a relative.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{
    about, classes,
    question::Question,
    relations::Relations,
    things::{is_of, is_same, names},
    wording::{self, Item},
    words::words,
};
use crate::{
    extraction::{Answer, Assertion, Context, Field, Finding, Note, Record, StatedDate, WarningCode},
    rules::{Entity, TermKind, entities},
    statics::pattern,
};

/// Most quotes of one answer.
const MOST_QUOTES: usize = 12;
/// Longest sentence that is quoted whole, in bytes.
const LONGEST_SENTENCE: usize = 400;
/// Most sentences that are shown where the record has no answer and the note names the thing.
const MOST_SENTENCES: usize = 3;

/// Words after a treatment that state when it ended.
static UNTIL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "(?i)(?-u:\\b)(?:until|till|through|thru|up to|last (?:given|dose|cycle|infusion))(?-u:\\b)\
         |\\d{4}\\s?(?:-|\u{2013}|to)\\s?(?:\\d|[a-z]{3,9}\\.? \\d)|(?-u:\\b)to (?:\\d|[a-z]{3,9}\\.? \\d{4})",
    )
});

/// What the record says to a question. Ranges are bytes of the note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RecordReply {
    /// The record has an answer.
    Found {
        /// The sentence for a person.
        answer: String,
        /// The words of the note that support it, in the order of the answer.
        quotes: Vec<Range<usize>>,
    },
    /// The record has nothing there, and the note does not name the thing.
    Silent,
    /// The record has nothing there, but these sentences name the thing.
    Named(Vec<Range<usize>>),
    /// The rules could not read the note.
    Unread,
    /// The question asks for more than the record holds.
    NotCovered,
}

/// A date and its words in the note.
type Dated = (String, Range<usize>);

/// A value that answers, with the dates that are said of it.
struct Hit<'a> {
    field: Field,
    finding: &'a Finding,
    dates: Dates,
}

/// The dates of a value.
#[derive(Default)]
struct Dates {
    /// That of the value, if it is neither of the others.
    own: Option<Dated>,
    /// When a treatment was begun.
    begun: Option<Dated>,
    /// When it was stopped or completed.
    ended: Option<Dated>,
}

/// Answers a question from the answer of the rules, whose offsets are bytes.
pub(crate) fn reply(note: &Note, answer: &Answer, question: &Question) -> RecordReply {
    if !question.is_about_record() {
        return RecordReply::NotCovered;
    }
    if answer.warnings.iter().any(|warning| warning.code == WarningCode::NoOncologyTerms) && is_empty(answer) {
        return RecordReply::Unread;
    }
    if question.tnm
        && let Some(reply) = tnm(answer, question)
    {
        return reply;
    }
    let context = Context::of(note.as_str());
    let relations = Relations::of(note, answer, question, &context);
    let reader = Reader { note, answer, question, context: &context, relations };
    let fields = reader.fields();
    let mut hits: Vec<Hit<'_>> = fields.iter().flat_map(|&field| reader.hits(field)).collect();
    let denied_spread = reader.denied_spread(&hits);
    if hits.is_empty() && denied_spread.is_none() {
        return reader.nothing();
    }
    // Values of the record come first, then what the note denies, plans or leaves open.
    hits.sort_by_key(|hit| (!hit.finding.in_record, fields.iter().position(|field| *field == hit.field)));
    let mut items: Vec<Item> = hits.iter().map(Reader::item).collect();
    items.extend(denied_spread.is_some().then(|| Item::denied(Field::MetastasisSite, "metastases")));
    let mut quotes: Vec<Range<usize>> = Vec::new();
    for range in hits.iter().flat_map(|hit| reader.ranges(hit)).chain(denied_spread) {
        if !quotes.contains(&range) && quotes.len() < MOST_QUOTES {
            quotes.push(range);
        }
    }
    RecordReply::Found { answer: wording::sentences(&items, question.current), quotes }
}

/// Returns the formulas of the note; `None` if the question is about one of several tumours.
fn tnm(answer: &Answer, question: &Question) -> Option<RecordReply> {
    if !question.entities.is_empty() && answer.tumours.len() > 1 {
        return None;
    }
    if answer.tnm.is_empty() {
        return Some(RecordReply::Silent);
    }
    let stated: Vec<&str> = answer.tnm.iter().map(|formula| formula.quote.as_str()).collect();
    let quotes = answer.tnm.iter().take(MOST_QUOTES).map(|formula| formula.start..formula.end).collect();
    Some(RecordReply::Found { answer: format!("TNM: {}.", stated.join("; ")), quotes })
}

fn is_empty(answer: &Answer) -> bool {
    answer.record == Record::default() && Field::ALL.into_iter().all(|field| answer.evidence.get(field).is_empty())
}

struct Reader<'a> {
    note: &'a Note,
    answer: &'a Answer,
    question: &'a Question,
    context: &'a Context<'a>,
    relations: Relations<'a>,
}

impl RecordReply {
    /// Returns the words of the note that are shown.
    pub(crate) fn quotes(&self) -> &[Range<usize>] {
        match self {
            Self::Found { quotes, .. } | Self::Named(quotes) => quotes,
            Self::Silent | Self::Unread | Self::NotCovered => &[],
        }
    }
}

impl<'a> Reader<'a> {
    /// Returns the fields that may hold the answer.
    fn fields(&self) -> Vec<Field> {
        if !self.question.fields.is_empty() {
            return self.question.fields.clone();
        }
        let holds = |field: &Field| self.question.entities.iter().any(|entity| is_of(entity, *field));
        Field::ALL.into_iter().filter(holds).collect()
    }

    /// Returns the values of a field that the question asks for.
    fn hits(&self, field: Field) -> Vec<Hit<'a>> {
        let asked: Vec<&Entity> = self.question.entities.iter().filter(|entity| is_of(entity, field)).collect();
        let found = self.answer.evidence.get(field).iter().filter(|finding| finding.quote.is_some());
        let found = found.filter(|finding| asked.is_empty() || asked.iter().any(|entity| names(finding, entity)));
        let found = found.filter(|finding| {
            field != Field::Treatment
                || self.question.classes.is_empty()
                || self.question.classes.iter().any(|class| classes::is_of(finding, class))
        });
        let wanted = if self.question.relative {
            Some(Assertion::Family)
        } else {
            self.question.planned.then_some(Assertion::Planned)
        };
        let found = found.filter(|finding| wanted.is_none() || finding.assertion == wanted);
        let found: Vec<&Finding> = found.filter(|finding| self.relations.hold(field, finding)).collect();
        let dated = found.into_iter().filter_map(|finding| {
            let dates = self.dates(field, finding);
            let missing = (self.question.when && dates.are_missing()) || (self.asks_course() && !has_course(finding));
            (!missing).then_some(Hit { field, finding, dates })
        });
        dated.collect()
    }

    /// Returns whether the question asks if a treatment was begun or ended.
    fn asks_course(&self) -> bool {
        self.question.stop && !self.question.when
    }

    /// Returns the dates that the question asks for, else all of the value. The date of a value is often that of its
    /// course; it is then not repeated, and a start date never answers a question about the end, or the reverse.
    fn dates(&self, field: Field, finding: &Finding) -> Dates {
        let of_tumour = || {
            let mut tumours = self.answer.tumours.iter();
            let tumour = tumours.find(|tumour| Some(tumour.id.as_str()) == finding.tumour.as_deref())?;
            tumour.date.as_ref()
        };
        let dated = |date: &StatedDate| (date.value.clone(), date.start..date.end);
        let course = finding.course.as_ref();
        let begun = course.and_then(|course| course.start.as_ref()).map(dated);
        let ended = course.and_then(|course| course.stop.as_ref()).map(dated);
        let own = finding.date.as_ref().or_else(|| (field == Field::CancerType).then(of_tumour).flatten()).map(dated);
        let own = own.filter(|date| Some(date) != begun.as_ref() && Some(date) != ended.as_ref());
        match (self.question.when, self.question.start, self.question.stop) {
            (true, true, false) => Dates { own: own.filter(|_| begun.is_none()), begun, ended: None },
            (true, false, true) => Dates { ended, ..Dates::default() },
            (true, true, true) => Dates { own: None, begun, ended },
            _ => Dates { own, begun, ended },
        }
    }

    /// Returns the words that support a value: those of the value and of its date. Of what is not in the record it is the
    /// whole sentence, which has the words that deny or plan it.
    fn ranges(&self, hit: &Hit<'_>) -> impl Iterator<Item = Range<usize>> + use<> {
        let place = hit.finding.start.zip(hit.finding.end).map(|(start, end)| start..end);
        let place = place.map(|place| {
            let sentence = self.context.sentence_at(place.start);
            let is_short = sentence.len() <= LONGEST_SENTENCE && sentence.end >= place.end;
            if !hit.finding.in_record && is_short { sentence } else { place }
        });
        let Dates { own, begun, ended } = &hit.dates;
        let dates = [own, begun, ended].map(|date| date.as_ref().map(|(_, range)| range.clone()));
        place.into_iter().chain(dates.into_iter().flatten())
    }

    fn item(hit: &Hit<'_>) -> Item {
        let finding = hit.finding;
        let [date, begun, ended] = [&hit.dates.own, &hit.dates.begun, &hit.dates.ended]
            .map(|date| date.as_ref().map(|(date, _)| date.clone()));
        Item {
            field: hit.field,
            value: finding.value.clone(),
            in_record: finding.in_record,
            basis: finding.basis,
            assertion: finding.assertion,
            date,
            begun,
            ended,
            status: finding.course.as_ref().and_then(|course| course.status),
        }
    }

    /// Returns the sentence that denies metastases without naming an organ, if the question is about metastases in general
    /// and the record has none: "No distant metastases." The evidence has only organs.
    fn denied_spread(&self, hits: &[Hit<'_>]) -> Option<Range<usize>> {
        let question = self.question;
        let general = question.fields == [Field::MetastasisSite] && question.entities.is_empty();
        let narrowed = question.when || question.planned || question.relative || !question.classes.is_empty();
        if !general || narrowed || hits.iter().any(|hit| hit.finding.in_record) {
            return None;
        }
        let named = entities(self.note.as_str());
        let spread = || named.iter().filter(|entity| entity.kind == TermKind::Spread && !entity.general);
        let said = |entity: &Entity| self.context.assess(entity.range.clone(), Field::MetastasisSite);
        // A note that denies metastases of one year may affirm those of a later one.
        if spread()
            .any(|entity| matches!(said(entity), Assertion::Present | Assertion::Uncertain | Assertion::Probable))
        {
            return None;
        }
        let denied = spread().find(|entity| {
            let sentence = self.context.sentence_at(entity.range.start);
            let has_organ = hits.iter().any(|hit| hit.finding.start.is_some_and(|start| sentence.contains(&start)));
            !has_organ && said(entity) == Assertion::Negated
        })?;
        Some(self.context.sentence_at(denied.range.start))
    }

    /// Returns the reply if no value of the record answers.
    fn nothing(&self) -> RecordReply {
        if self.question.relative {
            return self.relatives();
        }
        let named = entities(self.note.as_str());
        if self.question.when || self.question.planned {
            return self.until(&named);
        }
        let is_named = |entity: &&Entity| self.question.entities.iter().any(|asked| is_same(entity, asked));
        let is_general = |entity: &&Entity| {
            !entity.general && self.question.fields.iter().any(|field| general_kinds(*field).contains(&entity.kind))
        };
        let names_thing = !self.question.entities.is_empty();
        let mut sentences: Vec<Range<usize>> = Vec::new();
        let is_asked = |entity: &&Entity| if names_thing { is_named(entity) } else { is_general(entity) };
        for entity in named.iter().filter(is_asked) {
            let sentence = self.context.sentence_at(entity.range.start);
            if !sentences.contains(&sentence) && sentences.len() < MOST_SENTENCES {
                sentences.push(sentence);
            }
        }
        if sentences.is_empty() { RecordReply::Silent } else { RecordReply::Named(sentences) }
    }

    /// Returns the sentences that name an end of the treatment that the question asks for, which the record does not hold:
    /// "carboplatin from May to July 2025", "until progression".
    fn until(&self, named: &[Entity]) -> RecordReply {
        if !(self.question.when && self.question.stop) {
            return RecordReply::Silent;
        }
        let mut sentences: Vec<Range<usize>> = Vec::new();
        for entity in named.iter().filter(|entity| self.question.entities.iter().any(|asked| is_same(entity, asked))) {
            let sentence = self.context.sentence_at(entity.range.start);
            let behind = self.note.as_str().get(entity.range.end..sentence.end).unwrap_or_default();
            if UNTIL.is_match(behind) && !sentences.contains(&sentence) && sentences.len() < MOST_SENTENCES {
                sentences.push(sentence);
            }
        }
        if sentences.is_empty() { RecordReply::Silent } else { RecordReply::Named(sentences) }
    }

    /// Returns the sentences that name a relative: the evidence has a cancer once, also if the patient has it too.
    fn relatives(&self) -> RecordReply {
        let mut sentences: Vec<Range<usize>> = Vec::new();
        for word in words(self.note.as_str()).iter().filter(|word| about::RELATIVES.contains(&word.text.as_str())) {
            let sentence = self.context.sentence_at(word.range.start);
            if !sentences.contains(&sentence) && sentences.len() < MOST_SENTENCES {
                sentences.push(sentence);
            }
        }
        if sentences.is_empty() { RecordReply::Silent } else { RecordReply::Named(sentences) }
    }
}

impl Dates {
    fn are_missing(&self) -> bool {
        self.own.is_none() && self.begun.is_none() && self.ended.is_none()
    }
}

fn has_course(finding: &Finding) -> bool {
    finding.course.as_ref().is_some_and(|course| course.status.is_some())
}

/// Returns the kinds of words that refer to a field without a value of it: "metastases", "mutation".
fn general_kinds(field: Field) -> &'static [TermKind] {
    match field {
        Field::MetastasisSite => &[TermKind::Spread],
        Field::Response => &[TermKind::Response],
        Field::GeneMutation => &[TermKind::Alteration, TermKind::Gene],
        Field::CancerType | Field::Stage | Field::Biomarker | Field::Treatment => &[],
    }
}
