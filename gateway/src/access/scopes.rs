//! What a key may do: its scopes, as its line in the key file names them.

use std::fmt;

/// One thing that a key may do. `http::access` says which scope each route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Allows reading notes, and every route without a scope of its own.
    Extract,
    /// Reads the metrics and the verbose health.
    Metrics,
    /// Reads what the key itself has used.
    Usage,
    /// Reads what all keys have used.
    Admin,
}

/// The scopes of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Extract, Self::Metrics, Self::Usage, Self::Admin];

    /// Returns the scope's name in the key file, in errors and in the API's document.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Extract => "extract",
            Self::Metrics => "metrics",
            Self::Usage => "usage",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Scopes {
    /// The scopes of a key whose line names none.
    pub const DEFAULT: Self = Self(Scope::Extract.bit() | Scope::Metrics.bit());

    /// Returns the scopes that contain one alone.
    #[must_use]
    pub const fn only(scope: Scope) -> Self {
        Self(scope.bit())
    }

    /// Parses names that are separated by commas. Returns `None` for an unknown name, and without any name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let scope = |name: &str| Scope::ALL.into_iter().find(|scope| scope.name() == name);
        text.split(',').try_fold(0, |bits, name| scope(name).map(|scope| bits | scope.bit())).map(Self)
    }

    /// Returns whether a scope is among them. `admin` contains `usage`.
    #[must_use]
    pub const fn contain(self, scope: Scope) -> bool {
        let implied = if matches!(scope, Scope::Usage) { Scope::Admin.bit() } else { 0 };
        self.0 & (scope.bit() | implied) != 0
    }

    /// Returns whether each of these scopes is among the others.
    pub(super) fn are_within(self, others: Self) -> bool {
        Scope::ALL.into_iter().all(|scope| !self.contain(scope) || others.contain(scope))
    }
}

impl fmt::Display for Scopes {
    /// Writes the names, separated by commas, as in the key file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Scope::ALL.into_iter().filter(|scope| self.0 & scope.bit() != 0).map(Scope::name);
        f.write_str(&names.collect::<Vec<_>>().join(","))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_parsed_and_written() {
        for (text, written, contained) in [
            ("extract", "extract", vec!["extract"]),
            ("usage,extract", "extract,usage", vec!["extract", "usage"]),
            ("admin", "admin", vec!["usage", "admin"]),
            ("metrics,metrics", "metrics", vec!["metrics"]),
        ] {
            let scopes = Scopes::parse(text).unwrap();
            assert_eq!(scopes.to_string(), written);
            let names = Scope::ALL.into_iter().filter(|&scope| scopes.contain(scope)).map(Scope::name);
            assert_eq!(names.collect::<Vec<_>>(), contained, "{text}");
        }
        for text in ["", ",", "extract,", "Extract", "extract usage", "all"] {
            assert_eq!(Scopes::parse(text), None, "{text}");
        }
        assert_eq!(Scopes::DEFAULT.to_string(), "extract,metrics");
    }

    #[test]
    fn a_scope_that_is_taken_away_is_noticed() {
        let scopes = |text| Scopes::parse(text).unwrap();
        for (before, after, within) in [
            ("extract", "extract,usage", true),
            ("extract,metrics", "extract", false),
            ("usage", "admin", true),
            ("admin", "usage", false),
        ] {
            assert_eq!(scopes(before).are_within(scopes(after)), within, "{before} {after}");
        }
    }
}
