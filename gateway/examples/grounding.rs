//! Measures the grounder on labelled notes: `cargo run --release -p gateway --example grounding -- F.jsonl [FROM] [TO] [SHOW]`.
//!
//! F has the layout of the adapter's training set. For the lines FROM..TO it prints the share of gold parts with a
//! basis other than `unsupported` in their own note and in another note, and the share that is contradicted. SHOW
//! (`misses`, `wrong` or `contradicted`) prints those parts with their text: use it for made-up notes only.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a tool for developers"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use gateway::extraction::{Basis, Field, Note, Record, ground};
use serde_json::Value;

#[derive(Default)]
struct Count {
    parts: usize,
    found: usize,
    contradicted: usize,
    by_basis: BTreeMap<&'static str, usize>,
    /// Parts that were looked for in another note, whose record lacks them.
    tried_in_other: usize,
    found_in_other: usize,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (from, to) = (number(1, 0), number(2, usize::MAX));
    let show = arguments.get(3).map_or("", String::as_str);
    let text = std::fs::read_to_string(arguments.first().unwrap()).unwrap();
    let pairs: Vec<(Note, Record)> = text.lines().skip(from).take(to.saturating_sub(from)).map(pair).collect();
    let mut counts: BTreeMap<Field, Count> = BTreeMap::new();
    let started = Instant::now();
    let mut values = 0;
    for (note, record) in &pairs {
        for finding in ground::ground(note, record) {
            let count = counts.entry(finding.field).or_default();
            count.parts += 1;
            values += 1;
            count.found += usize::from(finding.basis != Basis::Unsupported);
            count.contradicted += usize::from(!finding.in_record());
            *count.by_basis.entry(finding.basis.name()).or_default() += 1;
            let shown = match show {
                "misses" => finding.basis == Basis::Unsupported,
                "contradicted" => !finding.in_record(),
                _ => false,
            };
            if shown {
                println!("{}\t{}\t{:?}\n\t{}", finding.field.name(), finding.value, finding.assertion, note.as_str());
            }
        }
    }
    let elapsed_time = started.elapsed();
    for (at, (_, record)) in pairs.iter().enumerate() {
        // The fixed stride pairs every record with another note, the same in every run.
        let (note, other_record) = pairs.get((at * 7 + 13) % pairs.len()).unwrap();
        for finding in ground::ground(note, record) {
            // A value that the other record has too is no mistake there.
            if other_record
                .get(finding.field)
                .is_some_and(|value| pieces(value).iter().any(|part| similar(part, finding.value)))
            {
                continue;
            }
            counts.entry(finding.field).or_default().tried_in_other += 1;
            let found = finding.basis != Basis::Unsupported && finding.in_record();
            counts.entry(finding.field).or_default().found_in_other += usize::from(found);
            if show == "wrong" && found {
                let quotes: Vec<_> = finding.spans.iter().map(|span| span.quote()).collect();
                println!("{}\t{}\t{:?} {:?}", finding.field.name(), finding.value, finding.rule, quotes);
            }
        }
    }
    println!("field              parts  found  contradicted  in another note  basis");
    let share = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
    let mut all = Count::default();
    for (field, count) in &counts {
        println!(
            "{:16} {:7} {:5.1}% {:12.1}% {:15.1}%  {:?}",
            field.name(),
            count.parts,
            share(count.found, count.parts),
            share(count.contradicted, count.parts),
            share(count.found_in_other, count.tried_in_other),
            count.by_basis
        );
        all.parts += count.parts;
        all.found += count.found;
        all.contradicted += count.contradicted;
        all.found_in_other += count.found_in_other;
        all.tried_in_other += count.tried_in_other;
    }
    println!(
        "all {} parts: found {:.2}%, contradicted {:.2}%, in another note {:.2}%, {:.1} us a value",
        all.parts,
        share(all.found, all.parts),
        share(all.contradicted, all.parts),
        share(all.found_in_other, all.tried_in_other),
        elapsed_time.as_secs_f64() * 1e6 / f64::from(values)
    );
}

fn pieces(value: &str) -> Vec<String> {
    let mut joined = value.to_owned();
    for joiner in [", ", " and ", " plus ", " + ", "/", " followed by ", " then ", " with "] {
        joined = joined.replace(joiner, ";");
    }
    joined.split(';').map(str::to_owned).collect()
}

/// Returns whether the two share at least half of the words of the longer one.
fn similar(one: &str, other: &str) -> bool {
    let words = |text: &str| -> BTreeSet<String> {
        let lower = text.to_lowercase();
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let (one, other) = (words(one), words(other));
    2 * one.intersection(&other).count() >= one.len().max(other.len())
}

fn pair(line: &str) -> (Note, Record) {
    let line: Value = serde_json::from_str(line).unwrap();
    let mut record = Record::default();
    for field in Field::ALL {
        *record.get_mut(field) = line["output"][field.name()].as_str().map(str::to_owned);
    }
    (Note::new(line["input"].as_str().unwrap().to_owned(), usize::MAX).unwrap(), record)
}
