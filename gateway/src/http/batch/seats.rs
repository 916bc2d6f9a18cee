//! How many batches may have notes under way at once: of all callers, and of one key. A batch that waits for its caller
//! has no seat.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{access::Principal, http::error::ErrorCode};

/// A batch that may have notes under way, until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the batch for the limit"]
pub(super) struct BatchSlot {
    _of_all: OwnedSemaphorePermit,
    _of_key: Option<OwnedSemaphorePermit>,
}

impl BatchSlot {
    /// A seat, if one is free now. Where the key has as many as it may, that is why not.
    pub(super) fn take(all: &Arc<Semaphore>, principal: Option<&Principal>) -> Result<Self, ErrorCode> {
        let of_key = principal.map(|principal| Arc::clone(principal.batches()).try_acquire_owned()).transpose();
        let of_key = of_key.map_err(|_| ErrorCode::RateLimited)?;
        let of_all = Arc::clone(all).try_acquire_owned().map_err(|_| ErrorCode::Overloaded)?;
        Ok(Self { _of_all: of_all, _of_key: of_key })
    }

    /// Waits for a seat.
    pub(super) async fn wait(all: &Arc<Semaphore>, principal: Option<&Principal>) -> Result<Self, ErrorCode> {
        // Nobody closes them.
        let taken =
            async |seats: &Arc<Semaphore>| Arc::clone(seats).acquire_owned().await.map_err(|_| ErrorCode::Internal);
        let of_key = match principal {
            Some(principal) => Some(taken(principal.batches()).await?),
            None => None,
        };
        Ok(Self { _of_all: taken(all).await?, _of_key: of_key })
    }
}
