//! Tests Parquet files as inputs: columns, types, packings, row groups, and files that are broken or made to harm.

use std::{fs::File, sync::Arc};

use ::parquet::{
    basic::{Compression, GzipLevel, ZstdLevel},
    data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use serde_json::json;

use crate::command::{Workspace, by_id, failure};

const COLUMNS: &str = "message notes {
    required int64 CASE_ID; required binary Report (UTF8); required binary site; required int32 day (DATE);
    optional int64 written (TIMESTAMP(NANOS,true)); required double visit; }";

/// Writes a file with a row group for each list of notes.
fn write(workspace: &Workspace, name: &str, groups: &[&[String]], compression: Compression) {
    let schema = Arc::new(parse_message_type(COLUMNS).unwrap());
    let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
    let file = File::create(workspace.path(name)).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, properties).unwrap();
    let mut next = 9_007_199_254_740_993i64;
    for notes in groups {
        let ids: Vec<i64> = (next..).take(notes.len()).collect();
        next += i64::try_from(notes.len()).unwrap();
        let texts: Vec<ByteArray> = notes.iter().map(|note| ByteArray::from(note.as_str())).collect();
        let mut group = writer.next_row_group().unwrap();
        for at in 0.. {
            let Some(mut column) = group.next_column().unwrap() else { break };
            let count = notes.len();
            match at {
                0 => column.typed::<Int64Type>().write_batch(&ids, None, None).map(drop),
                1 => column.typed::<ByteArrayType>().write_batch(&texts, None, None).map(drop),
                2 => {
                    let sites = vec![ByteArray::from("Rome"); count];
                    column.typed::<ByteArrayType>().write_batch(&sites, None, None).map(drop)
                }
                3 => column.typed::<Int32Type>().write_batch(&vec![19_783; count], None, None).map(drop),
                4 => {
                    let times = vec![1_711_843_199_000_000_000; count];
                    column.typed::<Int64Type>().write_batch(&times, Some(&vec![1; count]), None).map(drop)
                }
                _ => column.typed::<DoubleType>().write_batch(&vec![3.0; count], None, None).map(drop),
            }
            .unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}

fn notes(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn rows_are_notes_in_every_packing() {
    let workspace = Workspace::new();
    let groups = [
        notes(&["Stage IV lung cancer.", "Stage II colon cancer."]),
        notes(&["Stage I melanoma, seen two months ago."]),
    ];
    let groups: Vec<&[String]> = groups.iter().map(Vec::as_slice).collect();
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        write(&workspace, "n.parquet", &groups, compression);
        let arguments =
            ["n.parquet", "--text-column", "report", "--id-column", "case_id", "--keep", "site,visit,day,written"];
        let output = workspace.run(&arguments);
        assert_eq!(output.code, Some(0), "{compression}: {}", output.err);
        let results = by_id(&output.out);
        // Every digit of the number, which a floating-point number does not hold.
        let first = &results["9007199254740993"];
        assert_eq!(first["result"]["stage"], "IV", "{compression}");
        let kept = json!({"site": "Rome", "visit": "3", "day": "2024-03-01", "written": "2024-03-30 23:59:59 +00:00"});
        assert_eq!(first["carried"], kept);
        assert_eq!((results.len(), &results["9007199254740995"]["result"]["stage"]), (3, &json!("I")));
    }
}

#[test]
fn a_day_and_a_time_are_the_day_of_the_note() {
    let workspace = Workspace::new();
    write(&workspace, "n.parquet", &[&notes(&["Resected two days ago: stage I melanoma."])], Compression::SNAPPY);
    for column in ["day", "written"] {
        let output = workspace.run(&["n.parquet", "--text-column", "report", "--date-column", column]);
        assert_eq!(output.code, Some(0), "{column}: {}", output.err);
        assert!(output.err.contains("no column `id`") && output.err.contains("CASE_ID"), "{}", output.err);
        assert_eq!(by_id(&output.out)["row-1"]["status"], 200, "{column}");
    }
}

#[test]
fn missing_columns_and_broken_files_are_refused_at_once() {
    let workspace = Workspace::new();
    write(&workspace, "n.parquet", &[&notes(&["Stage IV lung cancer."])], Compression::SNAPPY);
    let whole = std::fs::read(workspace.path("n.parquet")).unwrap();
    workspace.put("cut.parquet", &whole[..whole.len() - 9]);
    for (arguments, words) in [
        (
            &["n.parquet"][..],
            "no column `text`; the columns are: CASE_ID, Report, site, day, written, visit. Name it with --text-column",
        ),
        (&["n.parquet", "--text-column", "report", "--id-column", "nr"], "no column `nr`"),
        (&["n.parquet", "--text-column", "report", "--keep", "ward"], "no column `ward`"),
        (&["cut.parquet"], "broken"),
    ] {
        let output = workspace.run(arguments);
        assert_eq!(output.code, Some(2), "{arguments:?}: {} {}", output.out, output.err);
        assert!(output.err.contains(words), "{arguments:?}: {}", output.err);
    }
    let output = workspace.run_with(&["-"], &whole);
    assert_eq!(output.code, Some(3), "{}", output.err);
    assert!(output.out.contains("give it as a file by its name"), "{}", output.out);
    let output = workspace.run(&["n.parquet", "--text-column", "visit"]);
    assert_eq!(failure(&by_id(&output.out)["row-1"]).2, "type");
}

#[test]
fn a_page_that_swells_ends_only_its_own_file() {
    let workspace = Workspace::new();
    // 100 MiB of blanks take some KiB in the file.
    let bomb = vec![" ".repeat(100 << 20)];
    write(
        &workspace,
        "bomb.parquet",
        &[&notes(&["Stage IV lung cancer."]), &bomb],
        Compression::ZSTD(ZstdLevel::default()),
    );
    workspace.put("b.txt", "Stage II colon cancer.");
    let output = workspace.run(&["bomb.parquet", "b.txt", "--text-column", "report"]);
    assert_eq!(output.code, Some(2), "columns go with tables only: {}", output.err);
    write(&workspace, "good.parquet", &[&notes(&["Stage I melanoma."])], Compression::SNAPPY);
    let output = workspace.run(&["bomb.parquet", "good.parquet", "--text-column", "report"]);
    assert_eq!(output.code, Some(3), "{}", output.err);
    let results = by_id(&output.out);
    assert_eq!(results["good.parquet:row-1"]["result"]["stage"], "I");
    assert_eq!(results["bomb.parquet:row-1"]["result"]["stage"], "IV");
    assert_eq!(failure(&results["bomb.parquet:row-2"]).2, "file_limits");
}
