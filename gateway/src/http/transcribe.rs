//! `POST /api/v1/transcribe`: turns a recording into a transcript for a person to check. It never returns a record.

use std::time::Duration;

use axum::{
    Extension,
    body::Bytes,
    extract::{Request, State},
    http::header,
    response::{IntoResponse, Response},
};
use utoipa::ToSchema;

use super::{
    App,
    context::RequestContext,
    error::{ErrorCode, Problem, Violation},
    upload::{self, Upload, UploadKind, violation},
};
use crate::{
    admission::QueuePriority,
    dictation::{Audio, AudioFault, Dictation, DictationError, Transcript},
    extraction::Deadline,
    memory::MemoryReservation,
};

const ROUTE: &str = "/api/v1/transcribe";

pub(super) const RECORDING: UploadKind = UploadKind {
    route: ROUTE,
    // The copy that is taken from the form, and the copy in the form for the server.
    copies: 2,
    accepted: "multipart/form-data, audio/wav, audio/mpeg, audio/webm",
    // Recorders declare `video/webm` for sound too.
    is_body: |media_type| media_type.starts_with("audio/") || media_type == "video/webm",
    wrong_type: "Send the recording as the part `file` of a multipart/form-data, or as the body with Content-Type: \
                 audio/wav, audio/mpeg or audio/webm.",
    compressed: "Send the recording without Content-Encoding: sound is compressed already.",
    other_site: "This service has no keys, so it takes no form from a page of another site. Send the recording as the \
                 body, with Content-Type: audio/webm, audio/mpeg or audio/wav.",
    too_large: "The recording is larger than this server takes (transcribe.max_bytes). Send it in parts, or compress it \
                as mp3 or webm.",
    too_late: "The recording did not arrive in time. Send at least 1 KiB a second, and all of it before the deadline.",
    not_whole: "The recording did not arrive whole: the connection broke, or its framing is wrong.",
};

const NO_SOUND: &str = "The bytes are not a recording in wav, mp3 or webm with sound alone. The name and the declared \
                        type of the file are not used.";
const NO_TRANSCRIPT_IN_TIME: &str = "No transcript came in time. Send a shorter recording, or try again later.";
const NOT_WHOLE: &str = "The transcription server read only a part of the recording. Try again, or send it in parts.";
const REJECTED: &str = "The transcription server refused the request: its configuration does not match the \
                        configuration of this service (transcribe.model, transcribe.api_key_file). Tell an operator.";
const FAILED: &str = "The transcription server failed or its answer is not valid, so there is no transcript. Try again \
                      or tell an operator.";
const UNAVAILABLE: &str = "The transcription server cannot be reached. Try again after the time in Retry-After.";
const OVERLOADED: &str = "Too many recordings are being transcribed. Try again after the time in Retry-After.";

/// The form of a recording.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only documents the form")]
pub(super) struct RecordingForm {
    /// The recording: wav, mp3 or webm, by its bytes.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// The model, as `GET /api/v1/models` names it; no other is accepted.
    #[schema(required = false, nullable = false, example = "whisper-1")]
    model: Option<String>,
    /// The language, as `GET /api/v1/models` names it; no other is accepted.
    #[schema(required = false, nullable = false, example = "en")]
    language: Option<String>,
    /// 0; nothing else is accepted.
    #[schema(required = false, nullable = false, minimum = 0, maximum = 0, example = 0)]
    temperature: Option<f64>,
}

/// Transcribes a recording.
///
/// Returns the text for a person to check. The words that are most often recognised wrongly are marked. It is never a
/// record: send the text that the person approved to `/api/v1/extract`.
///
/// The recording is wav, mp3 or webm, as the part `file` of a form or as the body. Spoken numbers are written as figures
/// where their meaning is certain; `segments` has what was heard.
#[utoipa::path(post, path = ROUTE, tag = "extraction", operation_id = "transcribeRecording",
    request_body(content((RecordingForm = "multipart/form-data"))),
    responses((status = 200, description = "The transcript, for review", body = Transcript,
        headers(("X-Request-Id" = String, description = "Id of this request, as in `request_id`")))))]
pub(super) async fn transcribe(
    State(app): State<App>,
    Extension(context): Extension<RequestContext>,
    request: Request,
) -> Response {
    let Some(dictation) = app.dictation.clone() else {
        return ErrorCode::TranscribeOff.problem(&context.id).into_response();
    };
    upload::answer(&app, &context, &*dictation, request).await
}

impl Upload for Dictation {
    type Format = Audio;

    const KIND: UploadKind = RECORDING;

    fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A client of OpenAI's API names its model in the form, and may name other options: each must equal the setting of
    /// this service.
    fn check_part(&self, name: &str, value: &str) -> Result<(), Violation> {
        FormTerms { model: self.model(), language: self.language() }.check(name, value)
    }

    fn check(&self, bytes: &[u8], id: &str) -> Result<Audio, Box<Problem>> {
        Audio::check(bytes, self.max_length).map_err(|fault| Box::new(audio_problem(fault, self.max_length, id)))
    }

    async fn read(
        &self,
        bytes: Bytes,
        audio: Audio,
        id: &str,
        priority: &QueuePriority,
        deadline: Deadline,
        _: &mut MemoryReservation,
    ) -> Result<Vec<u8>, Problem> {
        let transcript = self.transcribe(&bytes, audio, id, priority, deadline).await.map_err(|error| {
            tracing::warn!(request_id = id, cause = %error, "no transcript for a recording");
            problem(error, self, id)
        })?;
        serde_json::to_vec(&transcript).map_err(|_| ErrorCode::Internal.problem(id))
    }
}

/// How recordings are transcribed. A client of OpenAI's API names some of these in its form, and always the model.
#[derive(Clone, Copy, Debug)]
struct FormTerms<'a> {
    model: &'a str,
    language: &'a str,
}

impl FormTerms<'_> {
    /// Checks a part of the form other than the recording. No part is ignored.
    fn check(&self, name: &str, value: &str) -> Result<(), Violation> {
        let refused = |rule, message: &str| Err(violation(name, rule, message));
        match name {
            "model" if value == self.model => Ok(()),
            "model" => {
                refused("known_model", "This service transcribes with another model; GET /api/v1/models names it.")
            }
            "language" if value.eq_ignore_ascii_case(self.language) => Ok(()),
            "language" => {
                refused("known_language", "This service transcribes another language; GET /api/v1/models names it.")
            }
            "temperature" if value.trim().parse::<f64>().is_ok_and(|temperature| temperature == 0.0) => Ok(()),
            "temperature" => refused("range", "This service transcribes with `temperature` 0. Leave the part out."),
            "response_format" | "timestamp_granularities[]" | "include[]" => {
                refused("one_format", "The answer has one form, a transcript for review in JSON. Leave the part out.")
            }
            "stream" => refused("one_format", "The answer is never streamed. Leave the part out."),
            "prompt" => refused("own_vocabulary", "The vocabulary is a part of this service. Leave the part out."),
            _ => {
                let message =
                    "The form has a part other than `file`, `model`, `language` and `temperature`. Leave it out.";
                Err(violation("", "unknown_key", message))
            }
        }
    }
}

fn audio_problem(fault: AudioFault, longest: Duration, id: &str) -> Problem {
    let invalid = |rule, message: &str| Problem::invalid(vec![violation("file", rule, message)], id);
    match fault {
        AudioFault::Unknown | AudioFault::NotSpeech => ErrorCode::UnsupportedMediaType
            .problem(id)
            .with_detail(NO_SOUND)
            .with_accepted(header::ACCEPT, "audio/wav, audio/mpeg, audio/webm"),
        AudioFault::Damaged => invalid(
            "whole",
            "The recording is damaged: it breaks off, or its header contradicts itself. Record it again.",
        ),
        AudioFault::Empty => invalid("not_empty", "The recording has no sound in it."),
        AudioFault::TooLong => {
            let longest = humantime::format_duration(longest);
            invalid("max_length", &format!("The recording plays longer than {longest}. Send it in parts."))
        }
    }
}

fn problem(error: DictationError, dictation: &Dictation, id: &str) -> Problem {
    let (code, detail) = match error {
        DictationError::QueueFull => {
            let problem = ErrorCode::Overloaded.problem(id).with_detail(OVERLOADED);
            return problem.with_retry_after(dictation.retry_after());
        }
        DictationError::NoSpeech => return ErrorCode::NoSpeech.problem(id),
        DictationError::Overloaded => (ErrorCode::Overloaded, OVERLOADED),
        DictationError::Unavailable => (ErrorCode::UpstreamUnavailable, UNAVAILABLE),
        DictationError::Rejected => (ErrorCode::UpstreamRejected, REJECTED),
        DictationError::Failed => (ErrorCode::UpstreamFailed, FAILED),
        DictationError::Incomplete => (ErrorCode::UpstreamFailed, NOT_WHOLE),
        DictationError::DeadlineExceeded => (ErrorCode::DeadlineExceeded, NO_TRANSCRIPT_IN_TIME),
    };
    code.problem(id).with_detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_says_only_what_is_done_anyway() {
        let terms = FormTerms { model: "whisper-1", language: "en" };
        for (name, value, expected) in [
            ("model", "whisper-1", None),
            ("model", "whisper-2", Some("known_model")),
            ("model", "", Some("known_model")),
            ("language", "en", None),
            ("language", "de", Some("known_language")),
            ("temperature", "0.0", None),
            ("temperature", "0.2", Some("range")),
            ("temperature", "hot", Some("range")),
            ("response_format", "json", Some("one_format")),
            ("timestamp_granularities[]", "word", Some("one_format")),
            ("stream", "true", Some("one_format")),
            ("prompt", "EGFR", Some("own_vocabulary")),
            ("CANARY", "x", Some("unknown_key")),
        ] {
            let checked = terms.check(name, value).err();
            assert!(!format!("{checked:?}").contains("CANARY"));
            assert_eq!(checked.map(|violation| violation.rule), expected, "{name} {value}");
        }
    }
}
