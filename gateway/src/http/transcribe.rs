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
    error::{ErrorCode, Problem},
    upload::{self, Upload, UploadKind, violation},
};
use crate::{
    admission::QueuePriority,
    dictation::{Audio, AudioFault, Dictation, DictationError, Transcript},
    extraction::Deadline,
};

const ROUTE: &str = "/api/v1/transcribe";

pub(super) const RECORDING: UploadKind = UploadKind {
    route: ROUTE,
    // Taken out of its form, and in the form for the server.
    copies: 2,
    accepted: "multipart/form-data, audio/wav, audio/mpeg, audio/webm",
    // Recorders declare `video/webm` for sound too.
    is_body: |media_type| media_type.starts_with("audio/") || media_type == "video/webm",
    wrong_type: "Send the recording as the part `file` of a multipart/form-data, or as the body with Content-Type: \
                 audio/wav, audio/mpeg or audio/webm.",
    compressed: "Send the recording without Content-Encoding: sound is compressed already.",
    other_site: "This service has no keys, so it takes no form from a page of another site. Send the recording as the \
                 body, with Content-Type: audio/webm, audio/mpeg or audio/wav.",
    other_part: "The form has a part other than `file`. Model, language and vocabulary are settings of the service.",
    too_large: "The recording is larger than this server takes (transcribe.max_bytes). Send it in parts, or compress it \
                as mp3 or webm.",
    too_late: "The recording did not arrive in time. Send at least 1 KiB a second, and all of it before the deadline.",
    not_whole: "The recording did not arrive whole: the connection broke, or its framing is wrong.",
};

const NO_SOUND: &str = "The bytes are no recording in wav, mp3 or webm with sound alone. The name and the declared type of a \
                        file do not count.";
const NO_TRANSCRIPT_IN_TIME: &str = "No transcript came in time. Send a shorter recording, or try again later.";
const NOT_WHOLE: &str = "The transcription server read only a part of the recording. Try again, or send it in parts.";
const REJECTED: &str = "The transcription server refused the request: its configuration (transcribe.model, \
                        transcribe.api_key_file) and this service's do not fit. An operator must look.";
const FAILED: &str = "The transcription server failed, or its answer is no transcript. Try again or tell an operator.";
const UNAVAILABLE: &str = "The transcription server cannot be reached. Try again later.";
const OVERLOADED: &str = "Too many recordings are being transcribed. Try again after the time in Retry-After.";

/// The form of a recording.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes the form")]
pub(super) struct RecordingForm {
    /// The recording: wav, mp3 or webm, by its bytes.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Transcribes a recording.
///
/// Returns the text for a person to check, with the words that are most often heard wrongly marked. It is never a
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
    type Answer = Transcript;

    const KIND: UploadKind = RECORDING;

    fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    fn timeout(&self) -> Duration {
        self.timeout
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
    ) -> Result<Transcript, Problem> {
        self.transcribe(&bytes, audio, id, priority, deadline).await.map_err(|error| {
            tracing::warn!(request_id = id, cause = %error, "no transcript for a recording");
            problem(error, self, id)
        })
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
