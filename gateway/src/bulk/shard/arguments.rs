//! The flags that choose a shard.

use clap::Args;

use super::{Shard, scheduler};
use crate::{bulk::BulkError, config::scheduler_variable};

/// The flags that choose a shard.
#[derive(Args, Clone, Debug, Default)]
pub struct ShardArguments {
    /// Read one of N equal parts of the input, I from 0 to N-1: with --out results.jsonl and 3/20 into
    /// results-0003-of-0020.jsonl, which has the ending .part until it is whole. A part file is continued
    #[arg(long, value_name = "I/N", requires = "out", conflicts_with = "force")]
    pub shard: Option<Shard>,
    /// Read the shard that the scheduler of an array job names: AWS Batch, Slurm, or a Kubernetes Indexed Job (with
    /// --shard-count)
    #[arg(long, requires = "out", conflicts_with_all = ["shard", "force"])]
    pub shard_from_env: bool,
    /// Number of shards, if the scheduler does not say it, or runs only some of them again
    #[arg(long, value_name = "N", requires = "shard_from_env", conflicts_with = "shard", value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    pub shard_count: Option<u32>,
}

impl ShardArguments {
    /// Returns whether the run reads a shard.
    pub(in crate::bulk) fn is_chosen(&self) -> bool {
        self.shard.is_some() || self.shard_from_env
    }

    /// Returns the shard; `None` if the run reads the whole input.
    pub(in crate::bulk) fn chosen(&self) -> Result<Option<Shard>, BulkError> {
        if !self.shard_from_env {
            return Ok(self.shard);
        }
        scheduler::shard(&scheduler_variable, self.shard_count).map(Some).map_err(BulkError::Usage)
    }
}
