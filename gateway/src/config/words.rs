//! Parses settings that are one word of a fixed set, and settings that are lists.

use std::{fmt::Display, net::IpAddr, str::FromStr};

use clap::ValueEnum;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error};

/// Parses one word of a fixed set. The error for another word lists the set.
pub(super) fn choice<'de, D: Deserializer<'de>, T: ValueEnum>(from: D) -> Result<T, D::Error> {
    let word = String::deserialize(from)?;
    T::from_str(&word, false).map_err(|_| {
        let known: Vec<_> = T::value_variants().iter().filter_map(T::to_possible_value).collect();
        let known: Vec<_> = known.iter().map(|value| format!("`{}`", value.get_name())).collect();
        D::Error::custom(format!("`{word}` is not one of {}", known.join(", ")))
    })
}

/// Does the same as [`choice`] for a setting that may be left out.
pub(super) fn optional_choice<'de, D: Deserializer<'de>, T: ValueEnum>(from: D) -> Result<Option<T>, D::Error> {
    choice(from).map(Some)
}

/// Parses a list of networks. An address alone is a network with that one address.
pub(super) fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let words: Vec<String> = list(from)?;
    let network = |word: &String| {
        let network = word.parse::<IpNet>().ok().or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from));
        network.ok_or_else(|| D::Error::custom(format!("`{word}` is not a network: write 10.0.0.0/8, or an address")))
    };
    words.iter().map(network).collect()
}

/// Returns the word of a choice.
pub(super) fn word<T: ValueEnum>(choice: &T) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Parses a list: an array in the file; in the environment, words separated by commas, with or without brackets. An
/// empty text and `[]` are the empty list.
pub(super) fn list<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(from: D) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Word {
        Number(u64),
        Text(String),
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Many(Vec<Word>),
        One(Word),
    }
    let text_of = |word: Word| match word {
        Word::Number(number) => number.to_string(),
        Word::Text(text) => text,
    };
    let words: Vec<String> = match Either::deserialize(from)? {
        Either::Many(words) => words.into_iter().map(text_of).collect(),
        Either::One(words) => {
            let text = text_of(words);
            let text = text.trim();
            let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
            inner.split(',').map(|word| word.trim().to_owned()).collect()
        }
    };
    let parsed = |word: &String| {
        word.parse().map_err(|error| {
            D::Error::custom(format!("`{word}` is not valid ({error}): separate the entries with commas, as in a,b,c"))
        })
    };
    words.iter().filter(|word| !word.is_empty()).map(parsed).collect()
}
