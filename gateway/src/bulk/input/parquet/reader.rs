//! The code of the separate process: it reads the file with the library.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    process::ExitCode,
    sync::Arc,
};

use parquet::{
    basic::{Compression, LogicalType, TimeUnit},
    file::{
        metadata::{ColumnChunkMetaData, RowGroupMetaData},
        reader::{FileReader, SerializedFileReader},
    },
    record::{Field, reader::RowIter},
    schema::types::Type,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::isolated;

/// Rows that the library holds at a time.
const ROWS: usize = 16;

/// What a file has.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Description {
    /// The names of the columns.
    pub(super) names: Vec<String>,
    /// The name of a compression that is not read.
    pub(super) unknown_packing: Option<String>,
}

/// Reads the file that is standard input and writes its rows as JSON lines; without `columns`, a [`Description`].
/// `longest`: maximum bytes of a value.
pub(in crate::bulk) fn serve(longest: usize, columns: &[usize], limited: bool) -> ExitCode {
    isolated::inside(limited, || {
        let file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let reader = SerializedFileReader::new(file).map_err(io::Error::other)?;
        // It is flushed after each line: rows before a fault are read.
        let mut out = io::stdout().lock();
        if columns.is_empty() {
            let names = fields(&reader).iter().map(|field| field.name().to_owned()).collect();
            serde_json::to_writer(&mut out, &Description { names, unknown_packing: unknown_packing(&reader) })?;
            return out.flush();
        }
        write_rows(reader, columns, longest, &mut out)?;
        out.flush()
    })
}

fn unknown_packing(reader: &SerializedFileReader<File>) -> Option<String> {
    let columns = reader.metadata().row_groups().iter().flat_map(RowGroupMetaData::columns);
    let is_known = |packing: &Compression| {
        matches!(packing, Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::GZIP(_) | Compression::ZSTD(_))
    };
    columns.map(ColumnChunkMetaData::compression).find(|packing| !is_known(packing)).map(|packing| packing.to_string())
}

/// Returns the columns, of which one may hold several.
fn fields(reader: &SerializedFileReader<File>) -> &[Arc<Type>] {
    reader.metadata().file_metadata().schema_descr().root_schema().get_fields()
}

fn write_rows(
    reader: SerializedFileReader<File>,
    columns: &[usize],
    longest: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    let chosen: Vec<Arc<Type>> = columns.iter().filter_map(|&column| fields(&reader).get(column).cloned()).collect();
    let nanoseconds: Vec<bool> = chosen.iter().map(|field| counts_nanoseconds(field)).collect();
    let root = reader.metadata().file_metadata().schema_descr().root_schema().name().to_owned();
    let projection = Type::group_type_builder(&root).with_fields(chosen).build().map_err(io::Error::other)?;
    let rows = RowIter::from_file_into(Box::new(reader)).project(Some(projection)).map_err(io::Error::other)?;
    for row in rows.with_batch_size(ROWS) {
        let row = row.map_err(io::Error::other)?;
        let mut object = Map::new();
        for ((name, field), is_nanoseconds) in row.into_columns().into_iter().zip(&nanoseconds) {
            object.insert(name, value(field, *is_nanoseconds, longest));
        }
        serde_json::to_writer(&mut *out, &object)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn counts_nanoseconds(field: &Type) -> bool {
    matches!(field.get_basic_info().logical_type_ref(), Some(LogicalType::Timestamp(kind)) if kind.unit == TimeUnit::NANOS)
}

/// Returns a value in JSON: whole numbers with all digits, days as `YYYY-MM-DD`. Anything else becomes an empty list,
/// which is not valid as a note or an id.
fn value(field: Field, is_nanoseconds: bool, longest: usize) -> Value {
    let no_value = || Value::Array(Vec::new());
    match field {
        Field::Null => Value::Null,
        Field::Str(text) if text.len() <= longest => Value::String(text),
        // Older programs write text without saying that it is text.
        Field::Bytes(bytes) if bytes.len() <= longest => {
            std::str::from_utf8(bytes.data()).map_or_else(|_| no_value(), |text| Value::String(text.to_owned()))
        }
        Field::Bool(value) => Value::Bool(value),
        Field::Byte(number) => number.into(),
        Field::Short(number) => number.into(),
        Field::Int(number) => number.into(),
        Field::Long(number) if is_nanoseconds => time(&Field::TimestampMicros(number / 1_000)),
        Field::TimestampMillis(_) | Field::TimestampMicros(_) => time(&field),
        Field::Long(number) => number.into(),
        Field::UByte(number) => number.into(),
        Field::UShort(number) => number.into(),
        Field::UInt(number) => number.into(),
        Field::ULong(number) => number.into(),
        Field::Float(number) => float(number.into()),
        Field::Double(number) => float(number),
        Field::Decimal(_) | Field::Date(_) | Field::TimeMillis(_) | Field::TimeMicros(_) => {
            Value::String(field.to_string())
        }
        _ => no_value(),
    }
}

/// Returns a time, without a fraction of a second that is zero.
fn time(field: &Field) -> Value {
    let text = field.to_string();
    Value::String(text.replacen(".000000 ", " ", 1).replacen(".000 ", " ", 1))
}

/// Returns a number: one without a fraction as a whole number, as pandas makes of whole numbers beside missing ones.
fn float(number: f64) -> Value {
    /// From here on, some whole numbers cannot be represented exactly.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and far below the largest i64")]
        return Value::from(number as i64);
    }
    // NaN and infinite numbers become null.
    Value::from(number)
}
