//! Limits the batches that may have notes in flight at once, for all callers and for each key. A batch that waits for
//! its caller has no slot.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{access::Principal, http::error::ErrorCode};

/// Permission for one batch to have notes in flight. Dropping it frees the slot.
#[derive(Debug)]
#[must_use = "dropping it frees the slot"]
pub(in crate::http) struct BatchSlot {
    _of_all: OwnedSemaphorePermit,
    _of_key: Option<OwnedSemaphorePermit>,
}

impl BatchSlot {
    /// Returns a slot if one is free now. Fails with `RateLimited` if the key has no free slot, and with `Overloaded`
    /// if the service has none.
    pub(in crate::http) fn try_acquire(all: &Arc<Semaphore>, principal: Option<&Principal>) -> Result<Self, ErrorCode> {
        let of_key = principal.map(|principal| Arc::clone(principal.batches()).try_acquire_owned()).transpose();
        let of_key = of_key.map_err(|_| ErrorCode::RateLimited)?;
        let of_all = Arc::clone(all).try_acquire_owned().map_err(|_| ErrorCode::Overloaded)?;
        Ok(Self { _of_all: of_all, _of_key: of_key })
    }

    /// Returns a slot once one is free.
    pub(in crate::http) async fn acquire(
        all: &Arc<Semaphore>,
        principal: Option<&Principal>,
    ) -> Result<Self, ErrorCode> {
        // The semaphores are never closed.
        let acquire =
            async |slots: &Arc<Semaphore>| Arc::clone(slots).acquire_owned().await.map_err(|_| ErrorCode::Internal);
        let of_key = match principal {
            Some(principal) => Some(acquire(principal.batches()).await?),
            None => None,
        };
        Ok(Self { _of_all: acquire(all).await?, _of_key: of_key })
    }
}
