//! JSON: one object a line, or one value with many notes; and FHIR resources in both.

mod document;
mod fhir;
mod lines;
mod object;
mod parts;

pub(super) use self::{
    document::read as read_document,
    lines::{read as read_lines, read_rows},
    object::check_kept_keys,
};
