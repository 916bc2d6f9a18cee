//! Compares the record of the model with the record of the rules engine. The comparison never changes the answer.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Field, Record, alike, fields::with_fields};

/// How the two engines' values of one field compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = "agree")]
pub enum Agreement {
    /// Both found nothing, or the same values, possibly in different detail.
    #[default]
    Agree,
    /// Both found values, and the values differ.
    Differ,
    /// Only the model found a value.
    OnlyModel,
    /// Only the rules found a value.
    OnlyRules,
}

impl Agreement {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Agree, Self::Differ, Self::OnlyModel, Self::OnlyRules];

    /// Returns the name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Differ => "differ",
            Self::OnlyModel => "only_model",
            Self::OnlyRules => "only_rules",
        }
    }
}

macro_rules! cross_check {
    ($($(#[doc = $doc:literal])+ $name:ident = $variant:ident, e.g. $example:expr;)+) => {
        /// How the two engines' records compare, field by field.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
        pub struct CrossCheck {
            $(
                $(#[doc = $doc])+
                pub $name: Agreement,
            )+
        }

        impl CrossCheck {
            /// Returns how the values of one field compare.
            #[must_use]
            pub fn get(&self, field: Field) -> Agreement {
                match field { $(Field::$variant => self.$name,)+ }
            }

            /// Returns the comparison of one field, to set it.
            pub fn get_mut(&mut self, field: Field) -> &mut Agreement {
                match field { $(Field::$variant => &mut self.$name,)+ }
            }
        }
    };
}

with_fields!(cross_check);

/// Compares the model's record with the rules engine's record, or two records in that order, field by field.
pub(crate) fn compare(model: &Record, rules: &Record) -> CrossCheck {
    let mut check = CrossCheck::default();
    for field in Field::ALL {
        *check.get_mut(field) = match (model.get(field), rules.get(field)) {
            (None, None) => Agreement::Agree,
            (Some(_), None) => Agreement::OnlyModel,
            (None, Some(_)) => Agreement::OnlyRules,
            (Some(model), Some(rules)) if alike::same_values(model, rules) => Agreement::Agree,
            (Some(_), Some(_)) => Agreement::Differ,
        };
    }
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_compare_in_four_ways() {
        let model = Record { stage: Some("IV".into()), treatment: Some("x".into()), ..Record::default() };
        let rules = Record { stage: Some("stage iv".into()), response: Some("y".into()), ..Record::default() };
        let check = compare(&model, &rules);
        assert_eq!(
            (check.stage, check.treatment, check.response, check.biomarker),
            (Agreement::Agree, Agreement::OnlyModel, Agreement::OnlyRules, Agreement::Agree)
        );
        assert_eq!(compare(&Record { stage: Some("III".into()), ..model }, &rules).stage, Agreement::Differ);
    }
}
