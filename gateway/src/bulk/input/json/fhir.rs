//! The note of a FHIR R4 resource: `DocumentReference`, `DiagnosticReport`, `Binary` and `Composition`. US Core gives
//! clinical notes as the first and pathology and radiology reports as the second.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::{
    super::{Fault, InputFormat, pdf, too_long},
    parts::NoteParts,
};

/// The media type of PDF.
const PDF: &str = "application/pdf";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Resource {
    id: Option<String>,
    status: Option<String>,
    subject: Option<Reference>,
    contained: Vec<Contained>,
    date: Option<String>,
    effective_date_time: Option<String>,
    issued: Option<String>,
    /// Of a `DocumentReference`.
    content: Vec<Content>,
    /// Of a `DiagnosticReport`.
    presented_form: Vec<Attachment>,
    conclusion: Option<String>,
    /// Of a `Binary`.
    content_type: Option<String>,
    data: Option<String>,
    /// Of a `Composition`.
    title: Option<String>,
    section: Vec<Section>,
}

#[derive(Deserialize)]
struct Reference {
    reference: Option<String>,
}

/// A resource inside another one, which only that one can name.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Contained {
    id: Option<String>,
    identifier: Vec<Identifier>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Identifier {
    value: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    attachment: Attachment,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Attachment {
    content_type: Option<String>,
    data: Option<String>,
    url: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Section {
    title: Option<String>,
    text: Option<Narrative>,
    #[serde(rename = "section")]
    below: Vec<Section>,
}

#[derive(Deserialize)]
struct Narrative {
    div: String,
}

/// Returns the note of a resource; `None` if its type is not a document.
pub(super) fn note(kind: &str, bytes: &[u8], form: &InputFormat) -> Option<NoteParts> {
    if !matches!(kind, "DocumentReference" | "DiagnosticReport" | "Binary" | "Composition") {
        return None;
    }
    // A resource has no columns: what `--keep` names is empty.
    let carried = vec![String::new(); form.keep.len()];
    let resource = match serde_json::from_slice::<Resource>(bytes) {
        Ok(resource) => resource,
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            let message =
                format!("The {kind} is not as FHIR R4 has it: the error is in line {line} at column {column}.");
            let text = Err(Fault::text("fhir", message));
            return Some(NoteParts { id: Ok(None), text, patient: Ok(None), note_date: Ok(None), carried });
        }
    };
    let text = match resource.status.as_deref() {
        Some("entered-in-error" | "cancelled") => {
            Err(Fault::text("fhir", format!("The {kind} is withdrawn (its status is entered-in-error or cancelled).")))
        }
        _ => text_of(kind, &resource, form.longest),
    };
    let text = text.and_then(|text| if text.len() > form.longest { Err(too_long()) } else { Ok(text) });
    let text = check_columns(form).and(text);
    let patient = patient_of(&resource);
    let day = resource.effective_date_time.or(resource.date).or(resource.issued);
    // A year or a month is not a day: such a date is left out.
    let day = day.filter(|day| day.len() >= 10);
    Some(NoteParts {
        id: Ok(resource.id.filter(|id| !id.is_empty())),
        text,
        patient: form.patient_of(patient),
        note_date: form.date_of(day.as_deref()),
        carried,
    })
}

/// Returns why flags for columns cannot be combined with FHIR, whose parts have names of their own.
fn check_columns(form: &InputFormat) -> Result<(), Fault> {
    let flags = [
        ("--text-column", form.text.as_deref(), ""),
        ("--id-column", form.ids.first().map(String::as_str), "id"),
        ("--patient-column", form.patient.as_deref(), "patient"),
        ("--date-column", form.date.as_deref(), "date"),
        ("--keep", form.keep.first().map(String::as_str), ""),
    ];
    for (flag, name, known) in flags {
        if let Some(name) = name.filter(|name| *name != known) {
            let way_on = if known.is_empty() { format!("leave out {flag}") } else { format!("use {flag} {known}") };
            return Err(Fault::text("column", format!("A FHIR resource has no column `{name}`: {way_on}.")));
        }
    }
    Ok(())
}

/// Returns whose note a resource is. A reference into the resource itself means the identifier of that patient: many
/// resources have a patient `#p` of their own.
fn patient_of(resource: &Resource) -> Option<String> {
    let reference = resource.subject.as_ref()?.reference.as_deref()?;
    if let Some(inside) = reference.strip_prefix('#') {
        let patient = resource.contained.iter().find(|contained| contained.id.as_deref() == Some(inside))?;
        return patient.identifier.iter().find_map(|identifier| identifier.value.clone());
    }
    // A version of the patient is the same patient.
    let patient = reference.split("/_history/").next().unwrap_or(reference);
    Some(patient.strip_prefix("Patient/").unwrap_or(patient).to_owned())
}

fn text_of(kind: &str, resource: &Resource, longest: usize) -> Result<String, Fault> {
    match kind {
        "DocumentReference" => of_attachments(resource.content.iter().map(|content| &content.attachment), longest),
        "DiagnosticReport" => match (resource.presented_form.is_empty(), &resource.conclusion) {
            (true, Some(conclusion)) => Ok(conclusion.clone()),
            (_, conclusion) => {
                let mut text = of_attachments(resource.presented_form.iter(), longest)?;
                // The conclusion is usually part of the report; where it is not, it still belongs to the note.
                if let Some(conclusion) = conclusion.as_deref().filter(|conclusion| !text.contains(conclusion.trim())) {
                    text = format!("{}\n\nCONCLUSION:\n{conclusion}\n", text.trim_end());
                }
                Ok(text)
            }
        },
        "Binary" => {
            let (content_type, data) = (resource.content_type.clone(), resource.data.clone());
            of_attachment(&Attachment { content_type, data, url: None }, longest)
        }
        _ => {
            let mut text = resource.title.as_ref().map(|title| format!("{title}\n")).unwrap_or_default();
            resource.section.iter().for_each(|section| section_into(section, &mut text, 0));
            if text.trim().is_empty() { Err(no_text("The Composition has no text in its sections.")) } else { Ok(text) }
        }
    }
}

/// Appends a section and those below it. FHIR sets no limit to their depth.
fn section_into(section: &Section, text: &mut String, depth: usize) {
    if let Some(title) = &section.title {
        let _ = write!(text, "\n{title}:\n");
    }
    if let Some(narrative) = &section.text {
        text.push_str(&narrative.div);
        text.push('\n');
    }
    if depth < 16 {
        section.below.iter().for_each(|section| section_into(section, text, depth + 1));
    }
}

/// Returns the text of the attachment that is read best: plain text before marked-up text, and that before PDF. Several
/// attachments are the same document in several forms.
fn of_attachments<'a>(
    attachments: impl Iterator<Item = &'a Attachment> + Clone,
    longest: usize,
) -> Result<String, Fault> {
    let rank = |attachment: &&Attachment| match media_type(attachment).as_str() {
        _ if attachment.data.is_none() => 9,
        "text/plain" => 0,
        "text/html" | "application/xhtml+xml" => 1,
        "text/rtf" | "application/rtf" => 2,
        PDF => 3,
        _ => 5,
    };
    match attachments.min_by_key(rank) {
        Some(attachment) => of_attachment(attachment, longest),
        None => Err(no_text("The resource has no attachment.")),
    }
}

fn media_type(attachment: &Attachment) -> String {
    let kind = attachment.content_type.as_deref().unwrap_or("text/plain");
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn of_attachment(attachment: &Attachment, longest: usize) -> Result<String, Fault> {
    let kind = media_type(attachment);
    let Some(data) = &attachment.data else {
        return Err(no_text(match attachment.url {
            Some(_) => {
                "The attachment has no data, only an address: export it with its data, or give the Binary resource."
            }
            None => "The attachment has no data.",
        }));
    };
    let readable =
        kind.starts_with("text/") || matches!(kind.as_str(), "application/xhtml+xml" | "application/rtf" | PDF);
    if !readable {
        let advice = "Only text, HTML, RTF and PDF are read; give the text of the document";
        return Err(no_text(&format!("The attachment is not text (by its content type). {advice}.")));
    }
    let compact: String = data.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(compact).map_err(|_| no_text("The data of the attachment is not base64."))?;
    if kind == PDF {
        return pdf::attached(&bytes, longest);
    }
    decoded(&bytes, attachment.content_type.as_deref().unwrap_or_default())
}

/// Returns the text of an attachment: UTF-8, or the charset that its content type names.
fn decoded(bytes: &[u8], content_type: &str) -> Result<String, Fault> {
    let charset = content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_owned())
    });
    let encoding = match charset.as_deref() {
        None => encoding_rs::UTF_8,
        Some(label) => super::super::encoding::named(label)
            .map_err(|_| no_text("The charset of the attachment is not known here."))?,
    };
    let text = encoding
        .decode_without_bom_handling_and_without_replacement(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    let wrong =
        || no_text("The attachment is not in the charset that its content type names (UTF-8 if it names none).");
    text.map(std::borrow::Cow::into_owned).ok_or_else(wrong)
}

fn no_text(message: &str) -> Fault {
    Fault::text("fhir", message)
}
