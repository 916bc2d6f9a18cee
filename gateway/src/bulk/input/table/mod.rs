//! Tables: a header that names the columns, and one note a row.

mod header;
mod look;
mod quotes;
mod rows;

pub(super) use self::{
    header::{Header, MissingColumn, shown},
    look::TableLook,
    rows::read,
};
