//! Writes a protein change in its other notation: `V600E` and `Val600Glu` are one change.

/// The amino acids by their one-letter and three-letter codes (IUPAC-IUB), and the stop codon.
const AMINO_ACIDS: [(char, &str); 21] = [
    ('A', "Ala"),
    ('R', "Arg"),
    ('N', "Asn"),
    ('D', "Asp"),
    ('C', "Cys"),
    ('Q', "Gln"),
    ('E', "Glu"),
    ('G', "Gly"),
    ('H', "His"),
    ('I', "Ile"),
    ('L', "Leu"),
    ('K', "Lys"),
    ('M', "Met"),
    ('F', "Phe"),
    ('P', "Pro"),
    ('S', "Ser"),
    ('T', "Thr"),
    ('W', "Trp"),
    ('Y', "Tyr"),
    ('V', "Val"),
    ('*', "Ter"),
];

/// Returns a value with its substitution in the other notation: `V600E` as `Val600Glu`; `None` without one.
pub(super) fn other_notation(value: &str) -> Option<String> {
    let words: Vec<&str> = value.split(' ').collect();
    let at = words.iter().position(|word| substitution(word).is_some())?;
    let other = substitution(words.get(at)?)?;
    let word = |(index, word): (usize, &&str)| if index == at { other.clone() } else { (*word).to_owned() };
    Some(words.iter().enumerate().map(word).collect::<Vec<_>>().join(" "))
}

/// Returns a substitution such as `p.V600E` in the other notation.
fn substitution(word: &str) -> Option<String> {
    let bare = word.strip_prefix("p.").unwrap_or(word).trim_matches(['(', ')']);
    let first = bare.find(|c: char| c.is_ascii_digit())?;
    let digits = bare.get(first..)?.bytes().take_while(u8::is_ascii_digit).count();
    let (from, position, to) = (bare.get(..first)?, bare.get(first..first + digits)?, bare.get(first + digits..)?);
    let long = |code: &str| {
        AMINO_ACIDS.iter().find(|(one, _)| code.len() == 1 && code.starts_with(*one)).map(|(_, three)| *three)
    };
    let short =
        |code: &str| AMINO_ACIDS.iter().find(|(_, three)| code.eq_ignore_ascii_case(three)).map(|(one, _)| *one);
    if let Some((from, to)) = long(from).zip(long(to)) {
        return Some(format!("{from}{position}{to}"));
    }
    let (from, to) = short(from).zip(short(to))?;
    Some(format!("{from}{position}{to}"))
}

#[cfg(test)]
mod tests {
    use super::other_notation;

    #[test]
    fn substitutions_change_their_notation() {
        for (value, expected) in [
            ("BRAF V600E", Some("BRAF Val600Glu")),
            ("BRAF p.Val600Glu", Some("BRAF V600E")),
            ("p.R175H", Some("Arg175His")),
            ("TP53 R213*", Some("TP53 Arg213Ter")),
            ("EGFR exon 19 deletion", None),
            ("KRAS", None),
            ("HER2", None),
            ("", None),
        ] {
            assert_eq!(other_notation(value).as_deref(), expected, "{value}");
        }
    }
}
