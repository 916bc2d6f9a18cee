//! Writes a review file to standard output from lines `{"id", "text", "outcome"}`. The browser checks need it for
//! outcomes that no engine produces. Users run `gateway extract --review` instead.

use std::io::{self, BufRead, BufWriter};

use gateway::ui::ReviewWriter;
use serde::Deserialize;

#[derive(Deserialize)]
struct Line {
    id: String,
    text: String,
    outcome: serde_json::Value,
}

fn main() -> io::Result<()> {
    let mut review = ReviewWriter::begin(BufWriter::new(io::stdout().lock()))?;
    for line in io::stdin().lock().lines() {
        let Line { id, text, outcome } = serde_json::from_str(&line?)?;
        review.note(&id, &text, &outcome)?;
    }
    review.end().map(drop)
}
