//! Writes Parquet: a column for each column of the table, in groups of rows, compressed with Snappy. A group is written as
//! soon as it is full, so that memory does not grow with the number of notes.

use std::{fmt, sync::Arc};

use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as PhysicalType},
    data_type::{BoolType, ByteArray, ByteArrayType, Int64Type},
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::Type,
};

use super::columns::{Cell, Column, ColumnKind};
use crate::bulk::BulkError;

/// The most rows of a group, and the bytes of text after which a group is full.
const GROUP_ROWS: usize = 50_000;
const GROUP_BYTES: usize = 32 << 20;

/// A file that is being written.
pub(super) struct ParquetWriter {
    writer: Option<SerializedFileWriter<Vec<u8>>>,
    /// The rows of the group that is not written yet.
    columns: Vec<Values>,
    rows: usize,
    bytes: usize,
    failure: Option<String>,
}

/// The values of a column, and for each row whether it has one.
struct Values {
    present: Vec<i16>,
    cells: Cells,
}

enum Cells {
    Texts(Vec<ByteArray>),
    Numbers(Vec<i64>),
    Flags(Vec<bool>),
}

impl fmt::Debug for ParquetWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetWriter")
            .field("rows", &self.rows)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

impl ParquetWriter {
    /// Begins a file with these columns.
    pub(super) fn new(columns: &[Column]) -> Self {
        let (writer, failure) = match begin(columns) {
            Ok(writer) => (Some(writer), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let values = columns.iter().map(|column| Values::new(column.kind)).collect();
        Self { writer, columns: values, rows: 0, bytes: 0, failure }
    }

    /// Adds a row.
    pub(super) fn add(&mut self, cells: &[Cell<'_>]) {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            self.bytes += column.add(cell);
        }
        self.rows += 1;
        if self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.write_group();
        }
    }

    fn write_group(&mut self) {
        let Some(writer) = &mut self.writer else { return };
        if let Err(error) = write_group(writer, &mut self.columns) {
            self.failure.get_or_insert(error.to_string());
        }
        (self.rows, self.bytes) = (0, 0);
    }

    /// Returns an error if the rows could not be encoded.
    pub(super) fn check(&self) -> Result<(), BulkError> {
        match &self.failure {
            None => Ok(()),
            Some(why) => Err(BulkError::Failed(format!(
                "the Parquet file cannot be written: {why}. Write --format csv or jsonl instead"
            ))),
        }
    }

    /// Returns the bytes of the file that were not taken yet.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.writer.as_mut().map(|writer| std::mem::take(writer.inner_mut())).unwrap_or_default()
    }

    /// Returns the rest of the file.
    pub(super) fn end(mut self) -> Result<Vec<u8>, BulkError> {
        if self.rows > 0 {
            self.write_group();
        }
        match self.writer.take().map(SerializedFileWriter::into_inner) {
            Some(Ok(rest)) if self.failure.is_none() => return Ok(rest),
            Some(Err(error)) => self.failure = Some(error.to_string()),
            _ => {}
        }
        self.check().map(|()| Vec::new())
    }
}

fn begin(columns: &[Column]) -> Result<SerializedFileWriter<Vec<u8>>, ParquetError> {
    let field = |column: &Column| {
        let (physical, logical) = match column.kind {
            ColumnKind::Text => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
            ColumnKind::Number => (PhysicalType::INT64, None),
            ColumnKind::Flag => (PhysicalType::BOOLEAN, None),
        };
        let field = Type::primitive_type_builder(&column.name, physical);
        field.with_logical_type(logical).with_repetition(Repetition::OPTIONAL).build().map(Arc::new)
    };
    let fields = columns.iter().map(field).collect::<Result<_, _>>()?;
    let schema = Type::group_type_builder("schema").with_fields(fields).build()?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))
}

fn write_group(writer: &mut SerializedFileWriter<Vec<u8>>, columns: &mut [Values]) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for column in columns {
        let Some(mut target) = group.next_column()? else { break };
        let present = Some(&column.present[..]);
        match &column.cells {
            Cells::Texts(texts) => target.typed::<ByteArrayType>().write_batch(texts, present, None)?,
            Cells::Numbers(numbers) => target.typed::<Int64Type>().write_batch(numbers, present, None)?,
            Cells::Flags(flags) => target.typed::<BoolType>().write_batch(flags, present, None)?,
        };
        target.close()?;
        column.clear();
    }
    group.close().map(|_| ())
}

impl Values {
    fn new(kind: ColumnKind) -> Self {
        let cells = match kind {
            ColumnKind::Text => Cells::Texts(Vec::new()),
            ColumnKind::Number => Cells::Numbers(Vec::new()),
            ColumnKind::Flag => Cells::Flags(Vec::new()),
        };
        Self { present: Vec::new(), cells }
    }

    /// Adds a cell and returns the bytes of its text. A cell of another type is left empty.
    fn add(&mut self, cell: &Cell<'_>) -> usize {
        let (mut present, mut bytes) = (1, 0);
        match (&mut self.cells, cell) {
            (Cells::Texts(texts), Cell::Text(text)) => {
                bytes = text.len();
                texts.push(ByteArray::from(text.as_bytes().to_vec()));
            }
            (Cells::Numbers(numbers), Cell::Number(number)) => numbers.push(i64::try_from(*number).unwrap_or(i64::MAX)),
            (Cells::Flags(flags), Cell::Flag(flag)) => flags.push(*flag),
            _ => present = 0,
        }
        self.present.push(present);
        bytes
    }

    fn clear(&mut self) {
        self.present.clear();
        match &mut self.cells {
            Cells::Texts(texts) => texts.clear(),
            Cells::Numbers(numbers) => numbers.clear(),
            Cells::Flags(flags) => flags.clear(),
        }
    }
}
