//! What a note says of a thing that it names: that it is there, was, will be, may be, or is not.

use serde::Serialize;
use utoipa::ToSchema;

/// The standing of a value in its note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = "present")]
pub enum Assertion {
    /// Plainly there; a negative result of a test is there too.
    Present,
}
