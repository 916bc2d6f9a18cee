//! The fault of a workbook.

use super::super::Fault;

/// Returns the fault of a file that is not a workbook.
pub(super) fn broken(message: &str) -> Fault {
    Fault::text("xlsx", format!("{message}. Save it again as .xlsx, or as CSV UTF-8."))
}
