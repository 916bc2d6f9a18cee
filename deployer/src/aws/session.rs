//! Opens and ends Session Manager sessions that forward a port.

use aws_sdk_ssm::Client;
use serde_json::json;
use zeroize::Zeroizing;

use super::{error::cloud_error, run_command::once};
use crate::{
    cloud::{CloudError, CloudErrorKind, Session},
    secret::Secret,
};

/// AWS' own document. It forwards any port of the host.
const FORWARD_PORT: &str = "AWS-StartPortForwardingSession";

/// The parameters of a session.
pub(super) struct Request<'a> {
    pub(super) instance_id: &'a str,
    pub(super) port: u16,
    pub(super) local: u16,
    pub(super) reason: &'a str,
}

/// Opens a session, without retries: if the answer is lost, a session may be open whose token is lost too. Such a
/// session ends by itself.
pub(super) async fn open(
    client: &Client,
    region: &str,
    endpoint: Option<&str>,
    request: &Request<'_>,
) -> Result<Session, CloudError> {
    let operation = "StartSession";
    let Request { instance_id, port, local, reason } = *request;
    let answer = client
        .start_session()
        .target(instance_id)
        .document_name(FORWARD_PORT)
        .parameters("portNumber", vec![port.to_string()])
        .parameters("localPortNumber", vec![local.to_string()])
        .reason(reason)
        .customize()
        .config_override(once())
        .send()
        .await
        .map_err(|error| cloud_error(operation, &error))?;
    let (Some(id), Some(token), Some(stream)) = (answer.session_id, answer.token_value, answer.stream_url) else {
        return Err(CloudError {
            kind: CloudErrorKind::Other,
            operation,
            code: "no session".to_owned(),
            message: String::new(),
        });
    };
    let token = Zeroizing::new(token);
    // The same JSON that the AWS command line passes to the plug-in.
    let answer = Zeroizing::new(json!({"SessionId": id, "TokenValue": *token, "StreamUrl": stream}).to_string());
    let request = json!({
        "Target": instance_id,
        "DocumentName": FORWARD_PORT,
        "Parameters": {"portNumber": [port.to_string()], "localPortNumber": [local.to_string()]},
        "Reason": reason,
    });
    Ok(Session {
        id,
        answer: Secret::new(answer),
        request: request.to_string(),
        region: region.to_owned(),
        endpoint: endpoint.map_or_else(|| default_endpoint(region), str::to_owned),
    })
}

/// Returns the default URL of Systems Manager.
fn default_endpoint(region: &str) -> String {
    let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("https://ssm.{region}.amazonaws.com{suffix}")
}

pub(super) async fn end(client: &Client, id: &str) -> Result<(), CloudError> {
    match client.terminate_session().session_id(id).send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            let error = cloud_error("TerminateSession", &error);
            if error.kind == CloudErrorKind::NotFound { Ok(()) } else { Err(error) }
        }
    }
}
