//! The secret with the Hugging Face token. The operator's machine writes it and never reads it.

use aws_sdk_secretsmanager::Client;

use super::error::cloud_error;
use crate::{
    cloud::{CloudError, CloudErrorKind},
    secret::Secret,
};

pub(super) async fn has(client: &Client, id: &str) -> Result<bool, CloudError> {
    match client.describe_secret().secret_id(id).send().await {
        // A secret that is being deleted can neither be read nor created again.
        Ok(found) => Ok(found.deleted_date.is_none()),
        Err(error) => {
            let error = cloud_error("DescribeSecret", &error);
            if error.kind == CloudErrorKind::NotFound { Ok(false) } else { Err(error) }
        }
    }
}

pub(super) async fn create(client: &Client, id: &str, value: &Secret) -> Result<(), CloudError> {
    let made = client.create_secret().name(id).secret_string(value.expose()).send().await;
    made.map_err(|error| without_token(cloud_error("CreateSecret", &error))).map(|_| ())
}

pub(super) async fn replace(client: &Client, id: &str, value: &Secret) -> Result<(), CloudError> {
    let put = client.put_secret_value().secret_id(id).secret_string(value.expose()).send().await;
    put.map_err(|error| without_token(cloud_error("PutSecretValue", &error))).map(|_| ())
}

/// Removes a message that may contain the token: AWS' validation errors quote the refused value.
fn without_token(error: CloudError) -> CloudError {
    if error.message.contains("hf_") { CloudError { message: String::new(), ..error } } else { error }
}
