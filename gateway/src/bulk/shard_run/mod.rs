//! The run of one shard: its files, and the checks before it gets its final name.

mod arguments;
mod exit;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    path::{Path, PathBuf},
};

pub(super) use self::exit::for_scheduler;
use self::{
    arguments::{check, redirect},
    exit::TRY_AGAIN,
};
use super::{
    BulkArguments, BulkError, SOME_FAILED, counts::grouped, input_reader::InputCounts, output::same_file, resume,
    shard::Shard, status::print_status,
};

/// One shard and its files.
#[derive(Debug)]
pub(super) struct ShardRun {
    pub(super) shard: Shard,
    /// The results once the shard is whole.
    whole: PathBuf,
    /// The results until then.
    part: PathBuf,
    /// Whether `--resume` was given: failed notes of a whole shard are tried again.
    again: bool,
}

impl ShardRun {
    /// Returns the shard of the command line, and lets the arguments write to its part file; `None` if there is no shard.
    pub(super) fn of(arguments: &mut BulkArguments) -> Result<Option<Self>, BulkError> {
        let Some(shard) = arguments.shards.chosen()? else { return Ok(None) };
        let whole = shard.file(check(arguments)?);
        let mut part = whole.clone().into_os_string();
        part.push(".part");
        let run = Self { shard, whole, part: part.into(), again: arguments.resume };
        redirect(arguments, run.part.clone());
        arguments.check_target(&run.whole, "--out", true)?;
        Ok(Some(run))
    }

    /// Returns the exit code if an earlier job has finished the shard, so that there is nothing to do.
    pub(super) fn finished_before(&self, arguments: &BulkArguments) -> Result<Option<u8>, BulkError> {
        if !self.whole.exists() {
            return Ok(None);
        }
        let found = resume::examine(&self.whole, &arguments.writer_options(false))?;
        let path = self.whole.display();
        if found.torn || found.repeated > 0 {
            return Err(BulkError::Usage(format!(
                "{path} is not a whole result of this command: it was changed, or copied in part. Delete it to read the shard again"
            )));
        }
        if found.failed > 0 && self.again {
            // Another job may have renamed it already. The lock of the part file then admits only one of the two jobs.
            let _ = std::fs::rename(&self.whole, &self.part);
            return Ok(None);
        }
        let failed = if found.failed > 0 {
            format!("; {} of them failed, and --resume tries those again", grouped(found.failed))
        } else {
            String::new()
        };
        let notes = grouped(found.done.len() as u64 + found.failed);
        print_status(&format!(
            "shard {} is whole since an earlier run: {path} has {notes} notes{failed}. Nothing was read. If the input has \
             changed, delete this file",
            self.shard
        ));
        Ok(Some(if found.failed > 0 { SOME_FAILED } else { 0 }))
    }

    /// Removes a part file without results, which this job began while another one finished the shard.
    pub(super) fn remove_empty_part(&self) {
        if self.part.metadata().is_ok_and(|kind| kind.len() == 0) {
            let _ = std::fs::remove_file(&self.part);
        }
    }

    /// Gives the shard its final name if it has exactly one result for each of its notes. Returns the exit code and the
    /// last line for the operator. `lock` is the locked part file; `inputs` is `None` if not every note was tried.
    pub(super) fn finish(
        &self,
        arguments: &BulkArguments,
        lock: &File,
        inputs: Option<InputCounts>,
    ) -> Result<(u8, String), BulkError> {
        let (shard, whole, part) = (self.shard, self.whole.display(), self.part.display());
        let Some(inputs) = inputs else {
            let line = format!("next: shard {shard} is not whole. To continue with {part}, run the same command again");
            return Ok((TRY_AGAIN, line));
        };
        print_status(&format!(
            "shard {shard} has {} of the {} notes of the input",
            grouped(inputs.own),
            grouped(inputs.all)
        ));
        if inputs.strange > 0 {
            return Err(BulkError::Usage(format!(
                "{part} has the results of {} notes that shard {shard} of this input does not have: the input, its order or \
                 the flags are others than before. Delete the part files of this input, and start all its shards again",
                grouped(inputs.strange)
            )));
        }
        let found = resume::examine(&self.part, &arguments.writer_options(false))?;
        let results = found.done.len() as u64 + found.failed;
        if found.torn || found.repeated > 0 || results != inputs.own || !same_file(lock, &self.part) {
            return Err(BulkError::Failed(format!(
                "{part} does not have one result for each of the {} notes of the shard, but {}: another job writes to it \
                 too, or the disk lost a part. Run the same command again",
                grouped(inputs.own),
                grouped(results)
            )));
        }
        let named = lock.sync_all().and_then(|()| std::fs::rename(&self.part, &self.whole));
        named.map_err(|cause| BulkError::unwritable(&self.whole, &cause))?;
        sync_folder(&self.whole);
        Ok(if found.failed > 0 {
            let failed = grouped(found.failed);
            let next = "To try them again, run the same command with --resume";
            (
                SOME_FAILED,
                format!(
                    "next: shard {shard} is whole, in {whole}; {failed} of its notes failed, each with its error. {next}"
                ),
            )
        } else {
            (0, format!("next: shard {shard} is whole, in {whole}"))
        })
    }
}

/// Makes a new name in a folder survive a power cut. Some file systems cannot do this and need not.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}
