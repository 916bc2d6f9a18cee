//! Reads Parquet files: one note for each row, as of a table.
//!
//! The library that reads them runs in a process of its own, see [`super::isolated`]. That process writes the needed
//! columns as JSON lines, which this one reads as it reads any.

mod reader;

use std::{
    fs::File,
    io::{BufReader, Read},
    process::{ChildStdout, Stdio},
};

use self::reader::Description;
pub(in crate::bulk) use self::reader::serve;
use super::{
    Fault, InputFormat, InputNote, NoteSink,
    format::position,
    isolated::{Isolated, not_started},
    json, longest_piece,
    table::shown,
    unread,
};
use crate::bulk::status::print_status;

/// Bytes at the beginning and at the end of every file.
pub(super) const MAGIC: &[u8] = b"PAR1";
/// Maximum bytes of the names of all columns.
const LONGEST_NAMES: u64 = 4 << 20;

/// Passes each note to `give`. Returns false if `give` returned false.
pub(super) fn read(file: &File, name: &str, prefix: &str, form: &InputFormat, give: &mut NoteSink<'_>) -> bool {
    let columns = names(file).and_then(|names| Ok((columns(&names, form)?, names)));
    let started = columns.and_then(|(columns, names)| {
        if let Some(notice) = notice(&names, &columns, form) {
            print_status(&format!("{name}: {notice}"));
        }
        let columns: Vec<String> = columns.all.iter().map(usize::to_string).collect();
        start(file, &columns.join(","), form)
    });
    let (process, rows) = match started {
        Ok(started) => started,
        Err(fault) => {
            return give(InputNote { id: Ok(Some(name.to_owned())), ..InputNote::new(name.to_owned(), Err(fault), 0) });
        }
    };
    let mut count = 0u64;
    let goes_on = json::read_rows(BufReader::new(rows), prefix, form, &mut |note| {
        count += 1;
        give(note)
    });
    if !goes_on {
        return false;
    }
    match process.end() {
        Ok(()) => true,
        Err(fault) => {
            let message = format!("This row and all rows after it were not read. {}", fault.message());
            give(InputNote::new(format!("{prefix}row-{}", count + 1), Err(Fault::text("file_limits", message)), 0))
        }
    }
}

/// Returns why none of the rows can be read: the file is broken, or a column is missing.
pub(super) fn check(file: &File, form: &InputFormat) -> Result<(), Fault> {
    columns(&names(file)?, form).map(drop)
}

/// Starts the process that writes the rows. `columns`: numbers of the columns; none for the names of all.
fn start(file: &File, columns: &str, form: &InputFormat) -> Result<(Isolated, ChildStdout), Fault> {
    let input = file.try_clone().map_err(|cause| unread(&cause))?;
    let arguments = [longest_piece(form).to_string(), format!("--columns={columns}")];
    let mut process =
        Isolated::start("parquet", &arguments, Stdio::from(input)).map_err(|cause| not_started(&cause))?;
    let output = process.output().ok_or_else(broken)?;
    Ok((process, output))
}

/// Returns the names of the columns.
fn names(file: &File) -> Result<Vec<String>, Fault> {
    let (process, output) = start(file, "", &InputFormat::default())?;
    let mut description = Vec::new();
    output.take(LONGEST_NAMES).read_to_end(&mut description).map_err(|cause| unread(&cause))?;
    // A broken file is likelier than one that breaks a limit here.
    process.end().map_err(|_| broken())?;
    let description: Description = serde_json::from_slice(&description).map_err(|_| broken())?;
    match description.unknown_packing {
        None => Ok(description.names),
        Some(packing) => {
            let message =
                format!("its columns are packed with {packing}, which is not read; write it with snappy, gzip or zstd");
            Err(Fault::text("parquet", message))
        }
    }
}

fn broken() -> Fault {
    Fault::text("parquet", "it is broken or cut off, or has too many columns; nothing of it was read")
}

/// The columns that are needed.
struct Columns {
    /// Their numbers, counted from 0, each once and in order.
    all: Vec<usize>,
    has_id: bool,
}

/// Finds the columns; the fault names one that is missing.
fn columns(names: &[String], form: &InputFormat) -> Result<Columns, Fault> {
    let find = |name: &str| position(names.iter().map(String::as_str), name);
    let needed = |flag: &str, name: &str| find(name).ok_or_else(|| missing(flag, name, names));
    let mut all = vec![needed("--text-column", form.text_key())?];
    let (wanted, is_required) = form.id_keys();
    let mut has_id = false;
    for name in wanted {
        match find(name) {
            None if is_required => return Err(missing("--id-column", name, names)),
            found => {
                has_id |= found.is_some();
                all.extend(found);
            }
        }
    }
    if let Some(name) = &form.patient {
        all.push(needed("--patient-column", name)?);
    }
    match form.date_key() {
        Some((name, true)) => all.push(needed("--date-column", name)?),
        Some((name, false)) => all.extend(find(name)),
        None => {}
    }
    for name in &form.keep {
        all.push(needed("--keep", name)?);
    }
    all.sort_unstable();
    all.dedup();
    Ok(Columns { all, has_id })
}

fn missing(flag: &str, name: &str, names: &[String]) -> Fault {
    let columns = shown(names).map_or_else(String::new, |names| format!("; the columns are: {names}"));
    Fault::text("column", format!("no column `{name}`{columns}. Name it with {flag}"))
}

/// Returns a sentence if no column gives the notes an id.
fn notice(names: &[String], columns: &Columns, form: &InputFormat) -> Option<String> {
    let others: Vec<&String> =
        (0..).zip(names).filter(|(at, _)| !columns.all.contains(at)).map(|(_, name)| name).collect();
    if columns.has_id || others.is_empty() {
        return None;
    }
    let (wanted, _) = form.id_keys();
    let wanted = wanted.first().copied().unwrap_or("id");
    let others = shown(&others).unwrap_or_else(|| "the other columns".to_owned());
    Some(format!("no column `{wanted}`: the notes are named by their rows; --id-column names one of: {others}"))
}
