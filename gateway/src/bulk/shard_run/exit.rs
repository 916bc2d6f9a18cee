//! The exit codes of a shard. A scheduler acts on them: 0 whole, 3 whole with failed notes, 1 try again, 2 do not try
//! again.

use crate::bulk::BulkError;

/// The exit code of a shard that is not whole, and that the same command may complete.
pub(super) const TRY_AGAIN: u8 = 1;

/// Returns the error of a shard for that of a run. A temporary cause, such as another job on the shard or a signal,
/// means: try again.
pub(in crate::bulk) fn for_scheduler(error: BulkError) -> BulkError {
    match error {
        error @ (BulkError::Locked(_) | BulkError::Interrupted) => BulkError::Failed(error.to_string()),
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_ends_by_itself_is_tried_again() {
        let locked = BulkError::Locked(Path::new("a").to_owned());
        for (error, expected) in [(locked, 1), (BulkError::Interrupted, 1), (BulkError::Usage("a".to_owned()), 2)] {
            assert_eq!(for_scheduler(error).exit_code(), expected);
        }
    }
}
