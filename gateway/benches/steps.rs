//! Measures each step on made-up notes of a thousand, ten thousand and a hundred thousand characters:
//! `cargo bench -p gateway`. It tests nothing.
#![expect(clippy::unwrap_used, reason = "a benchmark has no callers")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gateway::{
    config::PromptChoice,
    extraction::{Context, Note, Record, ground, parse},
    rules,
    vllm::prompt::Prompt,
};

/// A thousand characters of an oncology note.
const NOTE: &str = "61-year-old teacher with metastatic cutaneous melanoma of the back, seen in follow-up. Past \
    history: hypertension, hyperlipidaemia. Initial diagnosis two years ago with a Breslow depth of 3.2 mm, sentinel \
    node positive, stage IIIB at that time. NGS reported TMB-high and PD-L1 was 5%; BRAF was not tested. For two \
    symptomatic brain metastases she received nivolumab plus ipilimumab and stereotactic radiosurgery. CT and MRI \
    after three months showed that some lesions had shrunk while one had grown, overall a mixed response. No evidence \
    of liver or bone metastases on PET-CT. LDH 245 U/L, S100 mildly elevated. Mother had breast cancer. She denies \
    headache, nausea or visual symptoms, ECOG 1, tolerating treatment with grade 1 rash only. Plan: continue \
    nivolumab maintenance, consider enrolment in a trial, repeat MRI of the brain in twelve weeks. Medication and \
    allergies were reviewed, vaccination against influenza was advised, a letter with all results went to her own \
    practice. Discussed with patient and family at length.\n";

fn notes() -> Vec<(usize, Note)> {
    let long = |times: usize| Note::new(NOTE.repeat(times), usize::MAX).unwrap();
    [1, 10, 100].map(|times| (times * NOTE.len(), long(times))).into()
}

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("note");
    for (length, note) in notes() {
        let record = rules::read(&note).record;
        let text = record.to_training_json();
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_with_input(BenchmarkId::new("rules", length), &note, |b, note| b.iter(|| rules::read(note)));
        group.bench_with_input(BenchmarkId::new("assertion", length), &note, |b, note| {
            b.iter(|| black_box(Context::of(note.as_str())));
        });
        group.bench_with_input(BenchmarkId::new("ground", length), &(&note, &record), |b, (note, record)| {
            b.iter(|| black_box(ground::ground(note, record)).len());
        });
        group.bench_with_input(BenchmarkId::new("rules_parse_ground", length), &note, |b, note| {
            b.iter(|| extract(note));
        });
        group.bench_with_input(BenchmarkId::new("prompt", length), &note, |b, note| {
            b.iter(|| serde_json::to_vec(&Prompt::of(PromptChoice::Training, note.as_str())));
        });
        group.bench_with_input(BenchmarkId::new("parse", text.len()), &text, |b, text| b.iter(|| parse::parse(text)));
    }
    group.finish();
}

/// Does all the work of the rules engine on a note: reads it, parses, and grounds the record and the withheld values.
fn extract(note: &Note) -> usize {
    let reading = rules::read(note);
    let record: Record = parse::parse(&reading.record.to_training_json()).unwrap().record;
    let withheld = reading.withheld.iter().map(|(field, value)| (*field, value.as_str()));
    ground::ground(note, &record).len() + ground::ground_parts(note, withheld).len()
}

criterion_group!(benches, steps);
criterion_main!(benches);
