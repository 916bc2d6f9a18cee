//! The readings of one note, merged over its chunks, and the answer that they become.

use std::{ops::Range, sync::Arc};

use super::{
    Answer, CalendarDate, Confidence, Draft, EngineName, Evidence, Field, ModelText, Note, NoteContext, OffsetUnit,
    Record, Unread, Warning, WarningCode,
    chunk::{self, Conflict},
    doubt::SecondReading,
    judge::{self, JudgeAids, JudgeInput, JudgedRecord},
    parse::Repair,
    reading::ChunkReading,
    warnings,
};

/// The options of one note's answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnswerOptions {
    /// The unit of `start` and `end`.
    pub offsets: OffsetUnit,
    /// Whether the answer may leave out chunks that could not be read; a warning then names them.
    pub allow_partial: bool,
    /// The day on which the note was written; it resolves dates such as "two months ago".
    pub note_date: Option<CalendarDate>,
}

/// The readings of one note, merged over its chunks.
pub(super) struct MergedReading {
    pub(super) record: Record,
    conflicts: Vec<Conflict>,
    pub(super) readings: Vec<ChunkReading>,
    unread: Vec<Range<usize>>,
    pub(super) chunks: usize,
}

impl MergedReading {
    pub(super) fn from_one(reading: ChunkReading) -> Self {
        let record = reading.record.clone();
        Self { record, conflicts: Vec::new(), readings: vec![reading], unread: Vec::new(), chunks: 1 }
    }

    pub(super) fn merged(readings: Vec<ChunkReading>, unread: Vec<Range<usize>>, chunks: usize) -> Self {
        let records: Vec<Record> = readings.iter().map(|reading| reading.record.clone()).collect();
        let merged = chunk::merge(&records);
        Self { record: merged.record, conflicts: merged.conflicts, readings, unread, chunks }
    }

    /// Returns the model's confidence in a value, from the first chunk that spells it.
    fn confidence(&self, field: Field, part: &str) -> Option<Confidence> {
        let mut drafts = self.readings.iter().map(|reading| &reading.draft);
        drafts.find_map(|draft| draft.likelihoods.as_ref()?.of(draft.text.as_str(), field, part))
    }

    /// Returns a warning if the rules engine could not read the note or found nothing in it. Without the warning, an
    /// empty record would look like a note without cancer.
    fn no_terms_warning(&self, engine: EngineName, record: &Record, evidence: &Evidence) -> Option<Warning> {
        let empty = record.is_empty();
        if self.readings.iter().all(|reading| !reading.draft.recognised_terms) {
            return Some(if empty { warnings::no_terms() } else { warnings::another_language() });
        }
        let withheld = Field::ALL.into_iter().any(|field| !evidence.get(field).is_empty());
        (engine == EngineName::Rules && empty)
            .then(|| if withheld { warnings::all_withheld() } else { warnings::terms_not_read() })
    }

    /// Returns a warning if the note has text that the engine cannot read.
    fn unfamiliar_warning(&self) -> Option<Warning> {
        // Another warning already reports a note that is in another language as a whole.
        let language = |draft: &Draft| draft.unreadable.language && draft.recognised_terms;
        let any = |is: &dyn Fn(&Draft) -> bool| self.readings.iter().any(|reading| is(&reading.draft));
        let found = match (any(&language), any(&|draft| draft.unreadable.markup)) {
            (true, true) => "a part in another language, and markup, encoded text or invisible characters",
            (true, false) => "a part in another language",
            (false, true) => "markup, encoded text or invisible characters",
            (false, false) => return None,
        };
        let message = format!(
            "The note contains {found}, which the rules engine does not read: values may be missing. Send plain \
             English text, or read these parts yourself."
        );
        Some(Warning { code: WarningCode::UnfamiliarText, field: None, message })
    }

    /// Takes out what the second reader found in a note that was read as a whole.
    pub(super) fn take_second_reading(&mut self) -> Option<SecondReading> {
        self.readings.first_mut()?.second_reading.take()
    }

    /// Returns the number of chunks without any value of their own.
    pub(super) fn empty_chunks(&self) -> usize {
        self.readings.iter().filter(|reading| reading.is_empty).count()
    }

    /// Returns the answer. `second_reading`: what the second reader found in the note, if it read it.
    pub(super) fn into_answer(
        mut self,
        note: &Note,
        second_reading: &SecondReading,
        options: AnswerOptions,
        engine: EngineName,
        request_id: &str,
        aids: &JudgeAids,
    ) -> Answer {
        let chunks_empty = (self.chunks > 1).then(|| self.empty_chunks());
        let record = std::mem::take(&mut self.record);
        let engine_said = (self.chunks > 1).then(|| record.to_training_json());
        let drafts = || self.readings.iter().map(|reading| &reading.draft);
        let withheld: Vec<_> = drafts().flat_map(|draft| draft.withheld.iter().cloned()).collect();
        let of_other_tumours: Vec<_> = drafts().flat_map(|draft| draft.of_other_tumours.iter().cloned()).collect();
        let chunk_records: Vec<Record> = self.readings.iter().map(|reading| reading.record.clone()).collect();
        // An engine that tells tumours has read the note whole, so its own tumours count. For another engine those of the
        // second reader count, if it read the note.
        let own = drafts().next().filter(|draft| draft.tumours.is_some());
        let second = second_reading.note_context.as_ref().filter(|_| own.is_none());
        let tumours = match own {
            Some(draft) => draft.tumours.as_ref(),
            None => second_reading.tumours.as_ref().filter(|_| second.is_some() && aids.tumour_reader.is_some()),
        };
        let note_context = own.map_or(second, |draft| draft.note_context.as_ref());
        let confidence = |field, part: &str| self.confidence(field, part);
        let input = JudgeInput {
            withheld: &withheld,
            of_other_tumours: &of_other_tumours,
            chunk_records: &chunk_records,
            tumours,
            homonyms: second.filter(|_| tumours.is_some()).map_or(&[], |second| &second.homonyms),
            context: note_context.map(|known| &known.context),
            tumour_reader: aids.tumour_reader.as_deref(),
            code_table: aids.code_table.as_deref(),
            unit: options.offsets,
            note_date: options.note_date,
        };
        let JudgedRecord { record, evidence, mut warnings, tnm, tumours } =
            judge::judge(note, record, input, confidence);
        // `judge` reports the conflicts of markers and stages itself, after what was superseded is left out.
        let of_responses = self.conflicts.iter().filter(|conflict| conflict.field == Field::Response);
        warnings.extend(of_responses.map(warnings::conflict));
        warnings.extend(stage_conflict(note_context, &record, &warnings));
        warnings.extend(self.unread.first().map(|_| warnings::partly_unread(self.unread.len(), self.chunks)));
        warnings.extend(self.no_terms_warning(engine, &record, &evidence));
        warnings.extend(self.unfamiliar_warning());
        let doubted = Field::ALL.into_iter().filter(|field| {
            (second_reading.fields.contains(field) && record.get(*field).is_none())
                || self.readings.iter().any(|reading| reading.doubted.contains(field))
        });
        let doubted: Vec<&str> = doubted.map(Field::name).collect();
        warnings.extend((!doubted.is_empty()).then(|| warnings::empty_record_doubted(&doubted)));
        let mut offsets = note.offsets(options.offsets);
        let mut unread = Vec::with_capacity(self.unread.len());
        for range in &self.unread {
            unread.push(Unread { start: offsets.convert(range.start), end: offsets.convert(range.end) });
        }
        let tokens = self.readings.iter().map(|reading| reading.tokens_used);
        let tokens_used = tokens.fold(0, u32::saturating_add);
        let mut repairs: Vec<Repair> = Vec::new();
        for repair in self.readings.iter().flat_map(|reading| &reading.repairs) {
            if !repairs.contains(repair) {
                repairs.push(*repair);
            }
        }
        // There is at least one reading here: a note without any reading is an error.
        let draft = self.readings.into_iter().next().map(|reading| reading.draft);
        let (model, prompt) = draft.as_ref().map(Draft::author).unwrap_or_default();
        Answer {
            record,
            raw_output: engine_said.or(draft.map(|draft| ModelText::into_string(draft.text))).unwrap_or_default(),
            tokens_used,
            engine,
            model,
            prompt,
            degraded: false,
            request_id: request_id.to_owned(),
            repairs,
            warnings,
            evidence,
            tumours,
            tnm,
            chunks: (self.chunks > 1).then_some(self.chunks),
            chunks_empty,
            unread: (!unread.is_empty()).then_some(unread),
            code_files: aids.code_table.as_ref().map(|table| Arc::clone(table.files())),
            cross_check: None,
        }
    }
}

/// Returns the warning of a clinical and a pathological stage that differ, if the record has a stage and no other conflict
/// of stages is reported.
fn stage_conflict(known: Option<&NoteContext>, record: &Record, warnings: &[Warning]) -> Option<Warning> {
    let is_reported = |one: &Warning| one.code == WarningCode::ConflictingValues && one.field == Some(Field::Stage);
    match known?.stage_conflict.as_slice() {
        [clinical, pathological] if record.stage.is_some() && !warnings.iter().any(is_reported) => {
            Some(warnings::staged_twice(clinical, pathological))
        }
        _ => None,
    }
}
