//! The list of the seven fields, from which the types with one member per field, their schema and the parser derive. A
//! file that treats some fields in another way names them itself; .github/CONTRIBUTING.md lists the ones that the
//! compiler does not find.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Calls a macro with the list of the seven fields, so that each type with one member per field is defined in its own
/// file. A row is: docs, key = variant, e.g. example;
macro_rules! with_fields {
    ($callback:ident) => {
        $callback! {
            /// Tumour site and histology.
            cancer_type = CancerType, e.g. "melanoma (cutaneous)";
            /// Overall stage group, or TNM where the note gives no group.
            stage = Stage, e.g. "IV";
            /// Gene alterations found in the tumour or germline.
            gene_mutation = GeneMutation, e.g. "BRAF V600E";
            /// Receptors, expression scores, signatures and serum markers with their results.
            biomarker = Biomarker, e.g. "PD-L1 5%; TMB-high";
            /// Drugs, regimens, surgery and radiotherapy given.
            treatment = Treatment, e.g. "nivolumab and ipilimumab; stereotactic radiosurgery";
            /// Response of the disease to treatment.
            response = Response, e.g. "mixed response";
            /// Sites of metastasis, as nouns.
            metastasis_site = MetastasisSite, e.g. "brain";
        }
    };
}
pub(super) use with_fields;

macro_rules! field_and_record {
    ($($(#[doc = $doc:literal])+ $name:ident = $variant:ident, e.g. $example:expr;)+) => {
        /// One of the seven fields of a record.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[schema(as = FieldName, example = "stage")]
        pub enum Field {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Field {
            /// All fields, in the order of the training format and of every answer.
            pub const ALL: [Self; [$(stringify!($name)),+].len()] = [$(Self::$variant),+];

            /// Returns the key of the field in JSON.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($name),)+ }
            }

            /// Returns what the values of the field are, as a phrase that ends with a full stop.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim(),)+ }
            }

            /// Returns the field with this key; `None` for any other key.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name { $(stringify!($name) => Some(Self::$variant),)+ _ => None }
            }
        }

        /// The seven structured oncology fields of one note. Every key is present: a string, or null if the note gives
        /// no value. Several values of one field are joined by `"; "`.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema, ToSchema)]
        #[schemars(deny_unknown_fields)]
        #[schema(as = OncologyRecord)]
        pub struct Record {
            $(
                $(#[doc = $doc])+
                #[schema(required = true, example = json!($example), min_length = 1)]
                #[schemars(example = &$example)]
                pub $name: Option<String>,
            )+
        }

        impl Record {
            /// Returns the value of one field.
            #[must_use]
            pub fn get(&self, field: Field) -> Option<&str> {
                match field { $(Field::$variant => self.$name.as_deref(),)+ }
            }

            /// Returns the value of one field, to change it.
            pub fn get_mut(&mut self, field: Field) -> &mut Option<String> {
                match field { $(Field::$variant => &mut self.$name,)+ }
            }
        }
    };
}

with_fields!(field_and_record);

impl Record {
    /// Returns the JSON Schema (2020-12) of the record, the one of `GET /api/v1/schema` and `gateway schema`.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
        settings.into_generator().into_root_schema_for::<Self>().to_value()
    }

    /// Returns the record in the training format: one line, keys in order, separators `", "` and `": "`, non-ASCII
    /// unescaped. Constrained decoding, the rules engine and `raw_output` use this format.
    #[must_use]
    pub fn to_training_json(&self) -> String {
        let mut out = String::with_capacity(256);
        for field in Field::ALL {
            out.push_str(if out.is_empty() { "{\"" } else { ", \"" });
            out.push_str(field.name());
            out.push_str("\": ");
            match self.get(field) {
                None => out.push_str("null"),
                Some(value) => out.push_str(&serde_json::Value::from(value).to_string()),
            }
        }
        out.push('}');
        out
    }

    /// Returns the values of one field: its parts, in order.
    pub(crate) fn values(&self, field: Field) -> impl Iterator<Item = &str> {
        self.get(field).into_iter().flat_map(parts)
    }

    /// Returns whether no field has a value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        Field::ALL.iter().all(|&field| self.get(field).is_none())
    }
}

/// Returns the parts of a field's value, which `;` separates; blank parts are left out. A `;` in brackets does not
/// separate, so "t(9;22)" stays whole; if the brackets do not match, every `;` separates.
pub(super) fn parts(value: &str) -> impl Iterator<Item = &str> {
    let balanced = brackets_match(value);
    let mut depth = 0_i32;
    let separates = move |c: char| {
        depth += nesting(c);
        c == ';' && (depth == 0 || !balanced)
    };
    value.split(separates).map(str::trim).filter(|part| !part.is_empty())
}

fn nesting(c: char) -> i32 {
    i32::from(matches!(c, '(' | '[')) - i32::from(matches!(c, ')' | ']'))
}

fn brackets_match(value: &str) -> bool {
    let mut depth = 0_i32;
    value.chars().all(|c| {
        depth += nesting(c);
        depth >= 0
    }) && depth == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_split_outside_of_brackets() {
        for (value, expected) in [
            ("t(9;22)", &["t(9;22)"][..]),
            ("t(9;22); FLT3-ITD", &["t(9;22)", "FLT3-ITD"]),
            ("surgery (2019; R0) ;FOLFOX", &["surgery (2019; R0)", "FOLFOX"]),
            ("a (b; c", &["a (b", "c"]),
            ("a) b; (c", &["a) b", "(c"]),
            ("[x; (y; z)]; w", &["[x; (y; z)]", "w"]),
            ("; ;", &[]),
            ("", &[]),
        ] {
            assert_eq!(parts(value).collect::<Vec<_>>(), expected, "{value}");
        }
    }

    #[test]
    fn training_json_is_the_training_format() {
        let record = Record { stage: Some("IV".into()), biomarker: Some("β2-\"x\"".into()), ..Record::default() };
        assert_eq!(
            record.to_training_json(),
            "{\"cancer_type\": null, \"stage\": \"IV\", \"gene_mutation\": null, \"biomarker\": \"β2-\\\"x\\\"\", \
             \"treatment\": null, \"response\": null, \"metastasis_site\": null}"
        );
    }

    #[test]
    fn schema_names_every_field_once_and_requires_it() {
        let schema = Record::json_schema();
        let names: Vec<_> = Field::ALL.iter().map(|field| field.name()).collect();
        let required: Vec<_> =
            schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(required, names);
        assert_eq!(schema["properties"].as_object().unwrap().len(), names.len());
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["stage"]["type"], serde_json::json!(["string", "null"]));
    }

    #[test]
    fn names_round_trip() {
        for field in Field::ALL {
            assert_eq!(Field::named(field.name()), Some(field));
            assert_eq!(serde_json::to_value(field).unwrap(), field.name());
        }
        assert_eq!(Field::named("text"), None);
    }
}
