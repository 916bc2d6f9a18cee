//! The output format of a command.

use clap::ValueEnum;

/// The output format: text for a person, or JSON for a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a person
    #[default]
    Text,
    /// For a program: one JSON document on standard output, events as lines of JSON on standard error
    Json,
}

impl Format {
    /// Finds `--format json` among arguments that could not be parsed.
    #[must_use]
    pub fn of_arguments<'a>(arguments: impl Iterator<Item = &'a str>) -> Self {
        let mut found = Self::Text;
        let mut follows_option = false;
        for argument in arguments.take_while(|argument| *argument != "--") {
            if argument == "--format=json" || (follows_option && argument == "json") {
                found = Self::Json;
            }
            follows_option = argument == "--format";
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[test]
    fn the_format_is_found_among_invalid_arguments() {
        for (line, expected) in [
            ("up --format json --frobnicate", Format::Json),
            ("--format=json up", Format::Json),
            ("up --format text", Format::Text),
            ("up json --format", Format::Text),
            ("exec -- --format json", Format::Text),
        ] {
            assert_eq!(Format::of_arguments(line.split(' ')), expected, "{line}");
        }
    }
}
