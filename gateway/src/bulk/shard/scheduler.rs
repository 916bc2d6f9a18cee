//! Reads the shard from the variables that a scheduler gives each task of an array job.

use super::{Shard, number};

const BATCH_INDEX: &str = "AWS_BATCH_JOB_ARRAY_INDEX";
const BATCH_SIZE: &str = "AWS_BATCH_JOB_ARRAY_SIZE";
const SLURM_ID: &str = "SLURM_ARRAY_TASK_ID";
const SLURM_FIRST: &str = "SLURM_ARRAY_TASK_MIN";
const SLURM_LAST: &str = "SLURM_ARRAY_TASK_MAX";
const SLURM_COUNT: &str = "SLURM_ARRAY_TASK_COUNT";
const KUBERNETES_INDEX: &str = "JOB_COMPLETION_INDEX";

/// The variables of the process, and the number of shards on the command line.
struct Environment<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    count: Option<u64>,
}

/// Returns the shard that the schedulers' variables name, or a sentence about what is wrong with them. `count`: the number
/// of shards on the command line.
pub(super) fn shard(variable: &dyn Fn(&str) -> Option<String>, count: Option<u32>) -> Result<Shard, String> {
    let environment = Environment { variable, count: count.map(u64::from) };
    let tasks = [
        (BATCH_INDEX, environment.batch()?),
        (SLURM_ID, environment.slurm()?),
        (KUBERNETES_INDEX, environment.kubernetes()?),
    ];
    let mut found = tasks.into_iter().filter_map(|(name, shard)| Some((name, shard?)));
    let Some((first, shard)) = found.next() else {
        return Err(format!(
            "--shard-from-env: none of {BATCH_INDEX}, {SLURM_ID} and {KUBERNETES_INDEX} is set, so this is not a task of an array \
             job. Start it as one, or name the shard: --shard 0/20"
        ));
    };
    match found.find(|(_, other)| *other != shard) {
        Some((second, other)) => Err(format!(
            "--shard-from-env: {first} means shard {shard} and {second} means {other}. Name the shard with --shard, or unset \
             the variables of the other scheduler"
        )),
        None => Ok(shard),
    }
}

impl Environment<'_> {
    /// AWS Batch counts from 0, and its arrays are always complete.
    fn batch(&self) -> Result<Option<Shard>, String> {
        let Some(index) = self.number(BATCH_INDEX)? else { return Ok(None) };
        let count = match (self.number(BATCH_SIZE)?, self.count) {
            (Some(size), Some(count)) if size != count => {
                return Err(format!("--shard-count is {count} and {BATCH_SIZE} is {size}: leave out --shard-count"));
            }
            (size, count) => size.or(count),
        };
        made(BATCH_INDEX, index, count)
    }

    /// Slurm's arrays may begin at any number and have holes. A part of an array must not be taken for the whole: that
    /// would split the input into other shards than those of the first run.
    fn slurm(&self) -> Result<Option<Shard>, String> {
        let Some(id) = self.number(SLURM_ID)? else { return Ok(None) };
        if self.count.is_some() {
            return made(SLURM_ID, id, self.count);
        }
        let (first, last, tasks) = (self.number(SLURM_FIRST)?, self.number(SLURM_LAST)?, self.number(SLURM_COUNT)?);
        match (first, last, tasks) {
            (Some(first @ (0 | 1)), Some(last), Some(tasks)) if last.checked_sub(first) == tasks.checked_sub(1) => {
                let index = id.checked_sub(first).ok_or_else(|| format!("{SLURM_ID} is less than {SLURM_FIRST}"))?;
                made(SLURM_ID, index, Some(tasks))
            }
            _ => Err(format!(
                "--shard-from-env: this array does not have all tasks from 0 on (--array=0-19). If it runs some shards again, \
                 say how many there are with --shard-count; {SLURM_ID} is then the shard, from 0"
            )),
        }
    }

    /// Kubernetes gives a task no variable with the number of tasks.
    fn kubernetes(&self) -> Result<Option<Shard>, String> {
        let Some(index) = self.number(KUBERNETES_INDEX)? else { return Ok(None) };
        made(KUBERNETES_INDEX, index, self.count)
    }

    /// Returns the number in a variable; `None` if it is not set.
    fn number(&self, name: &str) -> Result<Option<u64>, String> {
        let Some(value) = (self.variable)(name) else { return Ok(None) };
        number(&value).map(Some).ok_or_else(|| format!("--shard-from-env: {name} is not a number"))
    }
}

fn made(name: &str, index: u64, count: Option<u64>) -> Result<Option<Shard>, String> {
    let Some(count) = count else {
        return Err(format!("--shard-from-env: {name} is set, but not how many tasks there are: give --shard-count N"));
    };
    Shard::new(index, count).map(Some).map_err(|why| format!("--shard-from-env: {name} is {index}, and {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &str, count: Option<u32>, expected: Result<&str, &str>) {
        let variable = |name: &str| {
            let of =
                |pair: &str| pair.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
            variables.split_whitespace().find_map(of)
        };
        match (shard(&variable, count), expected) {
            (Ok(shard), Ok(expected)) => assert_eq!(shard.to_string(), expected, "{variables}"),
            (Err(why), Err(part)) => assert!(why.contains(part), "{variables}: {why}"),
            (found, expected) => panic!("{variables}: {found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn each_scheduler_names_the_shard() {
        let array = "SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=19 SLURM_ARRAY_TASK_COUNT=20";
        let from_one = "SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=20 SLURM_ARRAY_TASK_COUNT=20";
        check("AWS_BATCH_JOB_ARRAY_INDEX=3 AWS_BATCH_JOB_ARRAY_SIZE=20", None, Ok("3/20"));
        check("AWS_BATCH_JOB_ARRAY_INDEX=3 AWS_BATCH_JOB_ARRAY_SIZE=20", Some(20), Ok("3/20"));
        check("AWS_BATCH_JOB_ARRAY_INDEX=3", Some(20), Ok("3/20"));
        check(&format!("SLURM_ARRAY_TASK_ID=3 {array}"), None, Ok("3/20"));
        check(&format!("SLURM_ARRAY_TASK_ID=3 {from_one}"), None, Ok("2/20"));
        check("JOB_COMPLETION_INDEX=3", Some(20), Ok("3/20"));
        // A job of one scheduler that passes its environment to another with the same numbers.
        check(&format!("JOB_COMPLETION_INDEX=3 SLURM_ARRAY_TASK_ID=3 {array}"), Some(20), Ok("3/20"));
    }

    #[test]
    fn a_part_of_an_array_is_not_taken_for_the_whole() {
        let why = Err("does not have all tasks from 0 on");
        for array in ["MIN=3 MAX=7 COUNT=2", "MIN=3 MAX=4 COUNT=2", "MIN=0 MAX=18 COUNT=10", "MIN=0 MAX=1", "COUNT=2"] {
            let array = array.split(' ').map(|part| format!("SLURM_ARRAY_TASK_{part}")).collect::<Vec<_>>().join(" ");
            check(&format!("SLURM_ARRAY_TASK_ID=3 {array}"), None, why);
            check(&format!("SLURM_ARRAY_TASK_ID=3 {array}"), Some(20), Ok("3/20"));
        }
    }

    #[test]
    fn what_is_missing_or_contradicts_is_an_error() {
        let two = "JOB_COMPLETION_INDEX=4 AWS_BATCH_JOB_ARRAY_INDEX=3 AWS_BATCH_JOB_ARRAY_SIZE=20";
        check("", None, Err("none of AWS_BATCH_JOB_ARRAY_INDEX, SLURM_ARRAY_TASK_ID and JOB_COMPLETION_INDEX"));
        check("", Some(20), Err("none of AWS_BATCH_JOB_ARRAY_INDEX"));
        check(two, Some(20), Err("AWS_BATCH_JOB_ARRAY_INDEX means shard 3/20 and JOB_COMPLETION_INDEX means 4/20"));
        check("AWS_BATCH_JOB_ARRAY_INDEX=3 AWS_BATCH_JOB_ARRAY_SIZE=20", Some(10), Err("leave out --shard-count"));
        check("AWS_BATCH_JOB_ARRAY_INDEX=3", None, Err("give --shard-count N"));
        check("JOB_COMPLETION_INDEX=3", None, Err("give --shard-count N"));
        check("JOB_COMPLETION_INDEX=20", Some(20), Err("JOB_COMPLETION_INDEX is 20, and there is no shard 20"));
        check("JOB_COMPLETION_INDEX=", Some(20), Err("JOB_COMPLETION_INDEX is not a number"));
        check("SLURM_ARRAY_TASK_ID=x", Some(20), Err("SLURM_ARRAY_TASK_ID is not a number"));
    }
}
