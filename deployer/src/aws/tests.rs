//! Tests the meaning of AWS' error codes and states, with mocked answers of the SDK's clients.

use aws_sdk_ec2::operation::start_instances::{StartInstancesError, StartInstancesOutput};
use aws_sdk_ssm::{
    operation::{
        get_command_invocation::{GetCommandInvocationError, GetCommandInvocationOutput},
        get_parameter::{GetParameterError, GetParameterOutput},
        put_parameter::{PutParameterError, PutParameterOutput},
    },
    types::{CommandInvocationStatus, Parameter, ParameterType},
};
use aws_smithy_mocks::{MockResponseInterceptor, RuleMode, create_mock_http_client, mock};
use aws_smithy_types::error::ErrorMetadata;

use super::{ec2, parameters, run_command};
use crate::cloud::{CloudErrorKind, CommandId, CommandProgress};

/// Builds a client whose calls are answered by the rules. `mock_client!` would need the SDK's feature `test-util`, for
/// which the whole SDK would be compiled a second time.
macro_rules! client {
    ($sdk:ident, $rules:expr) => {{
        let mut answers = MockResponseInterceptor::new().rule_mode(RuleMode::MatchAny);
        for rule in $rules {
            answers = answers.with_rule(rule);
        }
        let config = $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::new("us-east-1"))
            .credentials_provider($sdk::config::Credentials::new("a", "b", None, None, "test"))
            .retry_config($sdk::config::retry::RetryConfig::disabled())
            .http_client(create_mock_http_client())
            .interceptor(answers);
        $sdk::Client::from_conf(config.build())
    }};
}

fn metadata(code: &str) -> ErrorMetadata {
    ErrorMetadata::builder().code(code).message("a sentence").build()
}

#[tokio::test]
async fn error_codes_of_a_start() {
    for (code, expected) in [
        ("InsufficientInstanceCapacity", CloudErrorKind::Capacity),
        ("Server.InsufficientInstanceCapacity", CloudErrorKind::Capacity),
        ("InsufficientHostCapacity", CloudErrorKind::Capacity),
        ("VcpuLimitExceeded", CloudErrorKind::Quota),
        ("InstanceLimitExceeded", CloudErrorKind::Quota),
        ("IncorrectInstanceState", CloudErrorKind::Race),
        ("InvalidInstanceID.NotFound", CloudErrorKind::NotFound),
        ("UnauthorizedOperation", CloudErrorKind::Denied),
        ("AuthFailure", CloudErrorKind::Credentials),
        ("RequestExpired", CloudErrorKind::Credentials),
        ("RequestTimeTooSkewed", CloudErrorKind::Clock),
        ("SignatureDoesNotMatch", CloudErrorKind::Clock),
        ("InvalidSignatureException", CloudErrorKind::Clock),
        ("RequestLimitExceeded", CloudErrorKind::Throttled),
        ("Unsupported", CloudErrorKind::Other),
        ("SomethingOfTheFuture", CloudErrorKind::Other),
    ] {
        let rule = mock!(aws_sdk_ec2::Client::start_instances)
            .then_error(move || StartInstancesError::generic(metadata(code)));
        let client = client!(aws_sdk_ec2, [&rule]);
        let error = ec2::start(&client, "i-1").await.unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (expected, code));
        assert_eq!(error.to_string(), format!("StartInstances failed: {code}: a sentence"));
        assert!(!error.hint().is_empty());
        // EC2 uses these two codes both for expired credentials and for a wrong clock.
        let either = matches!(code, "AuthFailure" | "RequestExpired");
        assert_eq!(error.hint().contains("clock"), either || expected == CloudErrorKind::Clock, "{code}");
        assert_eq!(error.hint().contains("the credentials have expired"), either, "{code}");
    }
    let rule = mock!(aws_sdk_ec2::Client::start_instances).then_output(|| StartInstancesOutput::builder().build());
    let client = client!(aws_sdk_ec2, [&rule]);
    ec2::start(&client, "i-1").await.unwrap();
}

#[tokio::test]
async fn states_of_a_command() {
    for (status, details, expected) in [
        ("Pending", "Pending", CommandProgress::Waiting),
        ("Delayed", "Delayed", CommandProgress::Waiting),
        ("InProgress", "InProgress", CommandProgress::Running),
        ("Levitating", "Levitating", CommandProgress::Running),
        ("Cancelling", "Cancelling", CommandProgress::Cancelling),
        ("Success", "Success", CommandProgress::Ended(3)),
        ("Failed", "Failed", CommandProgress::Ended(3)),
        ("Cancelled", "Cancelled", CommandProgress::Cancelled),
        ("TimedOut", "ExecutionTimedOut", CommandProgress::TimedOut),
        ("TimedOut", "DeliveryTimedOut", CommandProgress::NotDelivered("DeliveryTimedOut".to_owned())),
        ("Failed", "Undeliverable", CommandProgress::NotDelivered("Undeliverable".to_owned())),
        ("Cancelled", "Terminated", CommandProgress::NotDelivered("Terminated".to_owned())),
    ] {
        let rule = mock!(aws_sdk_ssm::Client::get_command_invocation).then_output(move || {
            GetCommandInvocationOutput::builder()
                .status(CommandInvocationStatus::from(status))
                .status_details(details)
                .response_code(3)
                .build()
        });
        let client = client!(aws_sdk_ssm, [&rule]);
        let seen = run_command::get_invocation(&client, "i-1", &CommandId("c".to_owned())).await.unwrap();
        assert_eq!(seen.progress, expected, "{status} {details}");
    }
    let rule = mock!(aws_sdk_ssm::Client::get_command_invocation)
        .then_error(|| GetCommandInvocationError::generic(metadata("InvocationDoesNotExist")));
    let client = client!(aws_sdk_ssm, [&rule]);
    let error = run_command::get_invocation(&client, "i-1", &CommandId("c".to_owned())).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Race);
}

#[tokio::test]
async fn existing_missing_encrypted_and_taken_parameters() {
    let parameter = |kind: ParameterType| {
        let parameter = Parameter::builder().value("v").r#type(kind).build();
        GetParameterOutput::builder().parameter(parameter).build()
    };
    let there = mock!(aws_sdk_ssm::Client::get_parameter)
        .match_requests(|request| request.name() == Some("/there") && request.with_decryption() == Some(false))
        .then_output(move || parameter(ParameterType::String));
    let secure = mock!(aws_sdk_ssm::Client::get_parameter)
        .match_requests(|request| request.name() == Some("/secure"))
        .then_output(move || parameter(ParameterType::SecureString));
    let missing = mock!(aws_sdk_ssm::Client::get_parameter)
        .match_requests(|request| request.name() == Some("/missing"))
        .then_error(|| GetParameterError::generic(metadata("ParameterNotFound")));
    let client = client!(aws_sdk_ssm, [&there, &secure, &missing]);
    assert_eq!(parameters::get(&client, "/there").await.unwrap().as_deref(), Some("v"));
    assert_eq!(parameters::get(&client, "/missing").await.unwrap(), None);
    assert_eq!(parameters::get(&client, "/secure").await.unwrap_err().code, "SecureString");

    let taken = mock!(aws_sdk_ssm::Client::put_parameter)
        .match_requests(|request| request.overwrite() == Some(false))
        .then_error(|| PutParameterError::generic(metadata("ParameterAlreadyExists")));
    let free = mock!(aws_sdk_ssm::Client::put_parameter)
        .match_requests(|request| request.overwrite() == Some(true))
        .then_output(|| PutParameterOutput::builder().build());
    let client = client!(aws_sdk_ssm, [&taken, &free]);
    assert!(!parameters::put(&client, "/lock", "v", false).await.unwrap());
    assert!(parameters::put(&client, "/last", "v", true).await.unwrap());
}
