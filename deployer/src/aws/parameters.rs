//! Plain SSM parameters. They never hold a secret.

use aws_sdk_ssm::{Client, types::ParameterType};

use super::error::cloud_error;
use crate::cloud::{CloudError, CloudErrorKind};

pub(super) async fn get(client: &Client, name: &str) -> Result<Option<String>, CloudError> {
    let operation = "GetParameter";
    let found = match client.get_parameter().name(name).with_decryption(false).send().await {
        Ok(found) => found.parameter,
        Err(error) => {
            let error = cloud_error(operation, &error);
            return if error.kind == CloudErrorKind::NotFound { Ok(None) } else { Err(error) };
        }
    };
    if found.as_ref().is_some_and(|found| found.r#type() == Some(&ParameterType::SecureString)) {
        return Err(CloudError {
            kind: CloudErrorKind::Other,
            operation,
            code: CloudError::SECURE_STRING.to_owned(),
            message: format!("{name} is encrypted; the deployer reads no secret from SSM"),
        });
    }
    Ok(found.and_then(|found| found.value))
}

/// Writes a parameter. Returns `false` if it exists and `replace` is false.
pub(super) async fn put(client: &Client, name: &str, value: &str, replace: bool) -> Result<bool, CloudError> {
    let put = client.put_parameter().name(name).value(value).r#type(ParameterType::String).overwrite(replace);
    match put.send().await {
        Ok(_) => Ok(true),
        Err(error) => {
            let error = cloud_error("PutParameter", &error);
            if error.kind == CloudErrorKind::Exists { Ok(false) } else { Err(error) }
        }
    }
}

pub(super) async fn delete(client: &Client, name: &str) -> Result<(), CloudError> {
    match client.delete_parameter().name(name).send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            let error = cloud_error("DeleteParameter", &error);
            if error.kind == CloudErrorKind::NotFound { Ok(()) } else { Err(error) }
        }
    }
}
