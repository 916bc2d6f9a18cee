//! Converts the SDK's errors to [`CloudError`]. AWS' code decides the kind, never the wording of a message.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::{
    cloud::{CloudError, CloudErrorKind, NO_CREDENTIALS, NO_ROLE},
    login::Login,
};

/// The longest message to show, in characters: an encoded authorization failure has no limit of its own.
const MESSAGE_CHARS: usize = 300;

pub(super) fn cloud_error<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let from = |kind, code: &str, message: &str| cut(operation, kind, code, message);
    match error {
        _ if status == Some(407) || refused_by_the_proxy(error) => {
            from(CloudErrorKind::Proxy, "407", "the proxy requires a valid name and password")
        }
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("no code");
            from(kind(code, status), code, service.err().message().unwrap_or_default())
        }
        _ if lacks_credentials(error) => without_credentials(operation, error),
        SdkError::TimeoutError(_) => from(CloudErrorKind::Network, "timeout", "AWS did not answer in time"),
        SdkError::DispatchFailure(_) => from(CloudErrorKind::Network, "no connection", "AWS could not be reached"),
        SdkError::ResponseError(_) => {
            from(CloudErrorKind::Network, "unreadable answer", "the answer is damaged, or not one of AWS")
        }
        _ => from(CloudErrorKind::Other, "not sent", "the request could not be made"),
    }
}

fn cut(operation: &'static str, kind: CloudErrorKind, code: &str, message: &str) -> CloudError {
    CloudError { kind, operation, code: code.to_owned(), message: message.chars().take(MESSAGE_CHARS).collect() }
}

/// Returns the error for a call without credentials: there are none, or they may not assume the configured role.
pub(super) fn without_credentials(operation: &'static str, error: &(dyn Error + 'static)) -> CloudError {
    let refused = chain(error).find_map(<dyn Error>::downcast_ref::<AssumeRoleError>).and_then(|error| error.code());
    if let Some(code) = refused {
        let word = format!("AssumeRole failed: {code}");
        return match kind(code, None) {
            CloudErrorKind::Clock => cut(operation, CloudErrorKind::Clock, code, &word),
            CloudErrorKind::Credentials => {
                cut(operation, CloudErrorKind::Credentials, NO_CREDENTIALS, &Login::here().base().matter(&word))
            }
            _ => cut(operation, CloudErrorKind::Credentials, NO_ROLE, &Login::here().matter(&word)),
        };
    }
    match credentials_word(error) {
        None => cut(
            operation,
            CloudErrorKind::Network,
            "no connection",
            "the source of this machine's credentials could not be reached",
        ),
        Some(word) => cut(operation, CloudErrorKind::Credentials, NO_CREDENTIALS, &Login::here().base().matter(&word)),
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Returns whether the proxy refused a tunnel with 407. The error's type is private in hyper-util, so its text decides.
fn refused_by_the_proxy(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|error| error.to_string().contains("proxy authorization required"))
}

fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(<dyn Error>::is::<CredentialsError>)
}

/// Returns the SDK's message about the credentials, without the output of a credential program. Returns `None` if the
/// network failed.
fn credentials_word(error: &(dyn Error + 'static)) -> Option<String> {
    // A dispatch failure inside the credentials' error means that the service that provides them could not be reached.
    let under: Vec<String> =
        chain(error).skip_while(|error| !error.is::<CredentialsError>()).map(ToString::to_string).collect();
    if under.iter().any(|text| text.contains("dispatch failure") || text.contains("request has timed out")) {
        return None;
    }
    let last = under.last()?.split("Stderr").next()?;
    Some(last.lines().next()?.trim_end_matches(['.', ' ']).chars().take(160).collect())
}

fn kind(code: &str, status: Option<u16>) -> CloudErrorKind {
    match code.trim_start_matches("Server.").trim_start_matches("Client.") {
        "InsufficientInstanceCapacity" | "InsufficientHostCapacity" | "InsufficientCapacity" => {
            CloudErrorKind::Capacity
        }
        "VcpuLimitExceeded" | "InstanceLimitExceeded" => CloudErrorKind::Quota,
        "ThrottlingException"
        | "Throttling"
        | "RequestLimitExceeded"
        | "TooManyUpdates"
        | "TooManyRequestsException"
        | "RateExceeded"
        | "EC2ThrottledException" => CloudErrorKind::Throttled,
        "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => CloudErrorKind::Denied,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "InvalidClientTokenId"
        | "AuthFailure"
        | "UnrecognizedClientException"
        | "MissingAuthenticationToken" => CloudErrorKind::Credentials,
        "RequestTimeTooSkewed" | "SignatureDoesNotMatch" | "InvalidSignatureException" => CloudErrorKind::Clock,
        "InvalidInstanceID.NotFound"
        | "InvalidInstanceID.Malformed"
        | "ParameterNotFound"
        | "ResourceNotFoundException"
        | "InvalidDocument"
        | "DoesNotExistException"
        | "InvalidGroup.NotFound" => CloudErrorKind::NotFound,
        "ParameterAlreadyExists" | "ResourceExistsException" => CloudErrorKind::Exists,
        "InvocationDoesNotExist" | "IncorrectInstanceState" | "IncorrectState" => CloudErrorKind::Race,
        // SSM uses these codes when the agent is not connected.
        "InvalidInstanceId" | "TargetNotConnected" => CloudErrorKind::Offline,
        _ if status == Some(429) => CloudErrorKind::Throttled,
        _ if matches!(status, Some(401 | 403)) => CloudErrorKind::Denied,
        _ if status.is_some_and(|status| status >= 500) => CloudErrorKind::Network,
        _ => CloudErrorKind::Other,
    }
}
