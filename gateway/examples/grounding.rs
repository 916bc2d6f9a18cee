//! Measures the grounder on labelled notes: `cargo run --release -p gateway --example grounding -- F.jsonl [FROM] [TO] [SHOW]`.
//!
//! F is in the layout of the adapter's training set. For the lines FROM..TO: the share of gold parts that
//! get a basis other than `unsupported` in their own note and in another note, and the share that comes
//! out contradicted. SHOW is `misses`, `wrong` or `contradicted` and prints those: only for made-up notes.
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
    /// Tried in another note, and found there.
    tried: usize,
    elsewhere: usize,
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
        for one in ground::ground(note, record) {
            let count = counts.entry(one.field).or_default();
            count.parts += 1;
            values += 1;
            count.found += usize::from(one.basis != Basis::Unsupported);
            count.contradicted += usize::from(!one.in_record());
            *count.by_basis.entry(one.basis.name()).or_default() += 1;
            let shown = match show {
                "misses" => one.basis == Basis::Unsupported,
                "contradicted" => !one.in_record(),
                _ => false,
            };
            if shown {
                println!("{}\t{}\t{:?}\n\t{}", one.field.name(), one.value, one.assertion, note.as_str());
            }
        }
    }
    let took = started.elapsed();
    for (at, (_, record)) in pairs.iter().enumerate() {
        // A fixed stride: every record meets another note, and the same one each time.
        let (note, own) = pairs.get((at * 7 + 13) % pairs.len()).unwrap();
        for one in ground::ground(note, record) {
            // What is true of the other note too is no mistake there.
            if own.get(one.field).is_some_and(|own| pieces(own).iter().any(|part| alike(part, one.value))) {
                continue;
            }
            counts.entry(one.field).or_default().tried += 1;
            let found = one.basis != Basis::Unsupported && one.in_record();
            counts.entry(one.field).or_default().elsewhere += usize::from(found);
            if show == "wrong" && found {
                let quotes: Vec<_> = one.spans.iter().map(|span| span.quote()).collect();
                println!("{}\t{}\t{:?} {:?}", one.field.name(), one.value, one.rule, quotes);
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
            share(count.elsewhere, count.tried),
            count.by_basis
        );
        all.parts += count.parts;
        all.found += count.found;
        all.contradicted += count.contradicted;
        all.elsewhere += count.elsewhere;
        all.tried += count.tried;
    }
    println!(
        "all {} parts: found {:.2}%, contradicted {:.2}%, in another note {:.2}%, {:.1} us a value",
        all.parts,
        share(all.found, all.parts),
        share(all.contradicted, all.parts),
        share(all.elsewhere, all.tried),
        took.as_secs_f64() * 1e6 / f64::from(values)
    );
}

fn pieces(value: &str) -> Vec<String> {
    let mut joined = value.to_owned();
    for joiner in [", ", " and ", " plus ", " + ", "/", " followed by ", " then ", " with "] {
        joined = joined.replace(joiner, ";");
    }
    joined.split(';').map(str::to_owned).collect()
}

/// Half of the words of the longer are in both.
fn alike(one: &str, other: &str) -> bool {
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
