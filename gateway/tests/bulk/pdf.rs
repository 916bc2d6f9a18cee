//! Tests PDFs as inputs: files, folders, attachments, and files that are made to harm.

use std::io::Write;

use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::{Compression, write::ZlibEncoder};
use serde_json::json;

use crate::{
    command::{Workspace, by_id, failure},
    pdf_file::{PdfFile, pdf},
};

const NOTE: &str = "Stage IV adenocarcinoma of the lung with EGFR L858R.\nTreated with osimertinib, partial response.";

#[test]
fn the_text_of_a_pdf_is_one_note() {
    let workspace = Workspace::new();
    workspace.put("study/a/report.PDF", pdf(&[NOTE, "There are metastases in the liver."]));
    workspace.put("study/b.txt", "Stage II colon cancer.");
    let output = workspace.run(&["study", "--review", "page.html"]);
    assert_eq!(output.code, Some(0), "{}", output.err);
    let results = by_id(&output.out);
    let result = &results["a/report.PDF"]["result"];
    assert_eq!(result["cancer_type"], "adenocarcinoma of the lung");
    assert_eq!(result["stage"], "IV");
    assert_eq!(result["metastasis_site"], "liver");
    // The quote is found in the text that the page shows, on the page that the form feeds count.
    let page = workspace.text("page.html");
    let block = page.split("<script type=\"application/json\">").nth(1).unwrap().split("</script>").next().unwrap();
    let shown: serde_json::Value = serde_json::from_str(block).unwrap();
    let text: Vec<char> = shown["text"].as_str().unwrap().chars().collect();
    let evidence = &result["evidence"]["metastasis_site"][0];
    let at = |key: &str| usize::try_from(evidence[key].as_u64().unwrap()).unwrap();
    let before: String = text[..at("start")].iter().collect();
    assert_eq!(text[at("start")..at("end")].iter().collect::<String>(), evidence["quote"].as_str().unwrap());
    assert_eq!(before.matches('\u{c}').count(), 1, "{before}");
}

#[test]
fn a_pdf_is_known_by_its_content() {
    let workspace = Workspace::new();
    workspace.put("a.txt", pdf(&[NOTE]));
    let output = workspace.run(&["a.txt", "--encoding", "windows-1252"]);
    assert_eq!(by_id(&output.out)["a.txt"]["result"]["stage"], "IV", "{}", output.err);
    let output = workspace.run_with(&["-"], pdf(&[NOTE]));
    assert_eq!(by_id(&output.out)["stdin"]["result"]["stage"], "IV", "{}", output.err);
    for (arguments, words) in
        [(["a.txt", "--keep", "x"], "has no columns"), (["a.txt", "--from", "csv"], "it is a PDF")]
    {
        let output = workspace.run(&arguments);
        assert!(output.code == Some(2) && output.err.contains(words), "{}", output.err);
    }
}

#[test]
fn pages_without_text_are_said() {
    let workspace = Workspace::new();
    workspace.put("scan.pdf", pdf(&["", ""]));
    workspace.put("part.pdf", pdf(&["", NOTE, ""]));
    let output = workspace.run(&["scan.pdf", "part.pdf"]);
    assert_eq!(output.code, Some(3), "{}", output.err);
    let results = by_id(&output.out);
    assert_eq!(failure(&results["scan.pdf"]), (422, "invalid_request", "no_text_layer"));
    let warnings = results["part.pdf"]["result"]["warnings"].as_array().unwrap();
    let warning = warnings.iter().find(|warning| warning["code"] == "pdf_partly_read").unwrap();
    assert!(warning["message"].as_str().unwrap().contains("2 of 3 pages") && warning["field"].is_null(), "{warning}");
    assert!(warning["message"].as_str().unwrap().contains("page 1, 3"), "{warning}");
    assert!(output.err.contains("1 pdf_partly_read"), "{}", output.err);
    let table = workspace.run(&["part.pdf", "--format", "csv"]);
    assert!(table.out.contains("pdf_partly_read"), "{}", table.out);
}

#[test]
fn attached_pdfs_are_read() {
    let workspace = Workspace::new();
    let data = BASE64_STANDARD.encode(pdf(&[NOTE]));
    let scan = BASE64_STANDARD.encode(pdf(&[""]));
    let report = |id: &str, data: &str| {
        let form = json!([{"contentType": "application/pdf", "data": data}]);
        json!({"resourceType": "DiagnosticReport", "id": id, "status": "final", "presentedForm": form}).to_string()
    };
    workspace.put("fhir.ndjson", format!("{}\n{}\n", report("good", &data), report("scan", &scan)));
    let results = by_id(&workspace.run(&["fhir.ndjson"]).out);
    assert_eq!(results["good"]["result"]["stage"], "IV");
    assert_eq!(failure(&results["scan"]), (422, "invalid_request", "no_text_layer"));

    let head =
        |id: &str| format!("MSH|^~\\&|a|b|c|d|20240101||ORU^R01|{id}|P|2.5\rPID|1||7^^^H^MR\rOBR|1|||D^Report\r");
    let document = |data: &str| format!("OBX|1|ED|D^Report||^application^pdf^Base64^{data}||||||F\r");
    let text = "OBX|2|TX|T^Text||Stage II colon cancer.||||||F\r";
    let messages = [head("M1") + &document(&data), head("M2") + &document(&scan), head("M3") + &document(&scan) + text];
    workspace.put("oru.hl7", messages.concat());
    let results = by_id(&workspace.run(&["oru.hl7"]).out);
    assert_eq!(results["M1"]["result"]["stage"], "IV");
    assert_eq!(failure(&results["M2"]), (422, "invalid_request", "no_text_layer"));
    assert_eq!(results["M3"]["result"]["stage"], "II");

    workspace.put(
        "cda.xml",
        format!(
            "<ClinicalDocument xmlns=\"urn:hl7-org:v3\"><id root=\"1\" extension=\"C1\"/><component><nonXMLBody>\
             <text mediaType=\"application/pdf\" representation=\"B64\">{data}</text></nonXMLBody></component></ClinicalDocument>"
        ),
    );
    let output = workspace.run(&["cda.xml"]);
    assert_eq!(by_id(&output.out)["C1"]["result"]["stage"], "IV", "{}", output.out);
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns a stream packed as `filters` says.
fn stream(content: &[u8], filters: &str) -> Vec<u8> {
    let head = format!("<< /Length {} /Filter {filters} >>\nstream\n", content.len());
    [head.as_bytes(), content, b"\nendstream"].concat()
}

#[test]
fn harmful_pdfs_fail_alone() {
    let workspace = Workspace::new();
    let with = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut file = PdfFile::of(&[NOTE]);
        change(&mut file.objects);
        file.bytes()
    };
    let good = pdf(&[NOTE]);
    let text = String::from_utf8(good.clone()).unwrap();
    let megabytes = vec![b' '; 64 << 20];
    let once = packed(&megabytes);
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("cut", good[..good.len() / 2].to_vec()),
        ("begin", b"%PDF-1.7".to_vec()),
        ("loop", with(&|objects| objects[1] = "<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>".into())),
        ("nested", with(&|objects| objects[4] = format!("{}{}", "[".repeat(400_000), "]".repeat(400_000)).into())),
        (
            "dictionaries",
            with(&|objects| objects[3] = format!("{}{}", "<</A ".repeat(200_000), ">>".repeat(200_000)).into()),
        ),
        ("pages", with(&|objects| objects[1] = "<< /Type /Pages /Kids [4 0 R] /Count 2000000000 >>".into())),
        ("xref", text.replace("xref\n0 6", "xref\n0 4000000000").into_bytes()),
        ("size", text.replace("/Size 6", "/Size 4000000000").into_bytes()),
        ("bomb", with(&|objects| objects[4] = stream(&once, "/FlateDecode"))),
        ("bombs", with(&|objects| objects[4] = stream(&packed(&once), "[/FlateDecode /FlateDecode]"))),
        (
            "itself",
            with(&|objects| {
                let page = String::from_utf8(objects[3].clone()).unwrap();
                objects[3] = page.replace("/Font <<", "/XObject << /X 6 0 R >> /Font <<").into();
                objects[4] = b"<< /Length 5 >>\nstream\n/X Do\nendstream".to_vec();
                let form = "<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 6 0 R >> >> /Length 5 >>";
                objects.push(format!("{form}\nstream\n/X Do\nendstream").into());
            }),
        ),
    ];
    for (name, bytes) in &files {
        workspace.put(&format!("study/{name}.pdf"), bytes);
    }
    workspace.put("study/zz-good.pdf", &good);
    let output = workspace.run(&["study"]);
    let results = by_id(&output.out);
    assert_eq!(results.len(), files.len() + 1, "{}", output.err);
    assert_eq!(results["zz-good.pdf"]["result"]["stage"], "IV");
    for (name, _) in &files {
        let result = &results[&format!("{name}.pdf")];
        // Some of them can be read all the same: then they are read like the good one, and never as an empty note.
        let is_read = result["result"]["stage"] == "IV";
        let rule = failure(result).2;
        assert!(is_read || ["pdf", "no_text_layer", "file_limits", "max_length"].contains(&rule), "{name}: {result}");
    }
    for (name, rule) in [("cut", "pdf"), ("begin", "pdf"), ("bomb", "file_limits"), ("itself", "file_limits")] {
        assert_eq!(failure(&results[&format!("{name}.pdf")]).2, rule, "{name}");
    }
}
