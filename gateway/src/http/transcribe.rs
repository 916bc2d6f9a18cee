//! `POST /api/v1/transcribe`: turns a recording into a transcript for a person to check. It never returns a record.

use std::time::{Duration, Instant};

use axum::{
    Extension,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use utoipa::ToSchema;

use super::{
    App, access, body,
    context::RequestContext,
    error::{ErrorCode, Problem},
    exchange::{Admitted, Exchange},
    note::Rejection,
    recording::{self, FormTerms, RecordingFormat, violation},
};
use crate::{
    dictation::{Audio, AudioFault, Dictation, DictationError, Transcript},
    extraction::{Deadline, StageTimings},
    memory::MemoryReservation,
};

const ROUTE: &str = "/api/v1/transcribe";
/// How often a recording is in memory beside the body: taken out of its form, and in the form for the server.
const COPIES: usize = 2;

const TOO_LARGE: &str = "The recording is larger than this server takes (transcribe.max_bytes). Send it in parts, or compress it as mp3 or webm.";
const NO_SOUND: &str = "The bytes are no recording in wav, mp3 or webm with sound alone. The name and the declared type of a \
                        file do not count.";
const TOO_LATE: &str =
    "The recording did not arrive in time. Send at least 1 KiB a second, and all of it before the deadline.";
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
    let mut exchange = Exchange::begin(&app, &context, ROUTE, &request);
    let principal = exchange.principal.clone();
    let answer = answer(&app, &dictation, &context, request, &mut exchange);
    let outcome = access::until_must_end(&app, principal.as_ref(), &context.id, answer).await;
    exchange.finish(outcome)
}

async fn answer(
    app: &App,
    dictation: &Dictation,
    context: &RequestContext,
    request: Request,
    exchange: &mut Exchange,
) -> Result<Response, Rejection> {
    let id = &context.id;
    let format = RecordingFormat::of(request.headers(), app.access.keys.is_some(), id)?;
    let admitted = exchange.admit(app, context, &request, dictation.timeout)?;
    let Admitted { priority, deadline, mut reservation, grant: _grant } = admitted;
    let bytes = receive(app, dictation, format, request, deadline, &mut reservation, id).await?;
    let audit_guard = &mut exchange.audit_guard;
    audit_guard.record.body_bytes = bytes.len();
    let audio = Audio::check(&bytes, dictation.max_length);
    let audio = audio.map_err(|fault| audio_problem(fault, dictation.max_length, id))?;
    audit_guard.begin_reading();
    let began = Instant::now();
    let outcome = dictation.transcribe(&bytes, audio, id, &priority, deadline).await;
    audit_guard.record.stages = Some(StageTimings { engine: began.elapsed(), ..StageTimings::default() });
    let transcript = outcome.map_err(|error| {
        tracing::warn!(request_id = &**id, cause = %error, "no transcript for a recording");
        problem(error, dictation, id)
    })?;
    drop(bytes);
    let json = serde_json::to_vec(&transcript).map_err(|_| ErrorCode::Internal.problem(id))?;
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((StatusCode::OK, kind, reservation.attached_to(json)).into_response())
}

/// Reads the body and takes the recording out of it.
async fn receive(
    app: &App,
    dictation: &Dictation,
    format: RecordingFormat,
    request: Request,
    deadline: Deadline,
    reservation: &mut MemoryReservation,
    id: &str,
) -> Result<axum::body::Bytes, Box<Problem>> {
    let too_large = || Box::new(ErrorCode::BodyTooLarge.problem(id).with_detail(TOO_LARGE));
    let most = dictation.max_bytes.min(app.state.memory.largest_body());
    let body = tokio::select! {
        biased;
        body = body::read(request.into_body(), most + recording::FORM_OVERHEAD, deadline, reservation) => body,
        () = app.state.in_flight.closed() => Err(ErrorCode::Draining),
    };
    let body = body.map_err(|code| match code {
        ErrorCode::BodyTooLarge => too_large(),
        ErrorCode::DeadlineExceeded => Box::new(code.problem(id).with_detail(TOO_LATE)),
        ErrorCode::InvalidJson => {
            let message = "The recording did not arrive whole: the connection broke, or its framing is wrong.";
            Box::new(Problem::invalid(vec![violation("file", "whole", message)], id))
        }
        code => Box::new(code.problem(id)),
    })?;
    reservation
        .grow(body.len().saturating_mul(COPIES))
        .map_err(|error| Box::new(ErrorCode::from(error).problem(id)))?;
    let terms = FormTerms { model: dictation.model(), language: dictation.language() };
    let bytes = format.take(body, &terms).await.map_err(|violation| Box::new(Problem::invalid(vec![violation], id)))?;
    if bytes.len() > most { Err(too_large()) } else { Ok(bytes) }
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
