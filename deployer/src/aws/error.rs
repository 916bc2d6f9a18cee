//! From the SDK's errors to ours: AWS' code decides, never the wording of a message.

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::cloud::{CloudError, Trouble};

/// More of a message than this no one reads; an encoded authorization failure is as long as it likes.
const MESSAGE_CHARS: usize = 300;

pub(super) fn cloud_error<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let from = |trouble, code: &str, message: &str| CloudError {
        trouble,
        operation,
        code: code.to_owned(),
        message: message.chars().take(MESSAGE_CHARS).collect(),
    };
    match error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("no code");
            from(trouble(code, status), code, service.err().message().unwrap_or_default())
        }
        _ if lacks_credentials(error) => {
            from(Trouble::Credentials, "no credentials", "none were found, or they could not be loaded")
        }
        SdkError::TimeoutError(_) => from(Trouble::Network, "timeout", "AWS did not answer in time"),
        SdkError::DispatchFailure(_) => from(Trouble::Network, "no connection", "AWS could not be reached"),
        SdkError::ResponseError(_) => {
            from(Trouble::Network, "unreadable answer", "what answered is not AWS, or is broken")
        }
        _ => from(Trouble::Other, "not sent", "the request could not be made"),
    }
}

fn lacks_credentials(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(<dyn std::error::Error>::is::<CredentialsError>)
}

fn trouble(code: &str, status: Option<u16>) -> Trouble {
    match code.trim_start_matches("Server.").trim_start_matches("Client.") {
        "InsufficientInstanceCapacity" | "InsufficientHostCapacity" | "InsufficientCapacity" => Trouble::Capacity,
        "VcpuLimitExceeded" | "InstanceLimitExceeded" => Trouble::Quota,
        "ThrottlingException"
        | "Throttling"
        | "RequestLimitExceeded"
        | "TooManyUpdates"
        | "TooManyRequestsException"
        | "RateExceeded"
        | "EC2ThrottledException" => Trouble::Throttled,
        "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => Trouble::Denied,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "InvalidClientTokenId"
        | "AuthFailure"
        | "UnrecognizedClientException"
        | "MissingAuthenticationToken" => Trouble::Credentials,
        "RequestTimeTooSkewed" | "SignatureDoesNotMatch" | "InvalidSignatureException" => Trouble::Clock,
        "InvalidInstanceID.NotFound"
        | "InvalidInstanceID.Malformed"
        | "ParameterNotFound"
        | "ResourceNotFoundException"
        | "InvalidDocument"
        | "InvalidGroup.NotFound" => Trouble::NotFound,
        "ParameterAlreadyExists" | "ResourceExistsException" => Trouble::Exists,
        "InvocationDoesNotExist" | "IncorrectInstanceState" | "IncorrectState" => Trouble::Race,
        // So SSM says that the agent is not connected.
        "InvalidInstanceId" => Trouble::Offline,
        _ if status == Some(429) => Trouble::Throttled,
        _ if matches!(status, Some(401 | 403)) => Trouble::Denied,
        _ if status.is_some_and(|status| status >= 500) => Trouble::Network,
        _ => Trouble::Other,
    }
}
