//! Assumes a role that requires the code of a second factor (MFA), because the SDK does not ask for one. The code is
//! used once and stored nowhere.

use aws_config::{SdkConfig, profile::ProfileFileCredentialsProvider, provider_config::ProviderConfig};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials as _, SharedCredentialsProvider},
};

use super::error::{cloud_error, without_credentials};
use crate::{
    cloud::{CloudError, CloudErrorKind},
    login::{Login, ProfileKind},
};

const ASSUME_ROLE: &str = "AssumeRole";

/// A role of the profile that requires a code.
#[derive(Clone, Debug)]
pub struct SecondFactor {
    role: String,
    source: String,
    device: String,
}

impl SecondFactor {
    /// Returns the role that requires a code, or `None` if this machine's credentials need no code.
    #[must_use]
    pub fn wanted() -> Option<Self> {
        match Login::here() {
            Login::Profile {
                kind: ProfileKind::Role { arn: role, source: Some(source), mfa: Some(device), .. },
                ..
            } => Some(Self { role, source, device }),
            _ => None,
        }
    }

    /// Returns the question for the operator.
    #[must_use]
    pub fn question(&self) -> String {
        format!("Code of {}: ", self.device)
    }

    /// Checks that there are credentials to assume the role with, because without them no code helps.
    pub(super) async fn check(&self, config: &SdkConfig) -> Result<(), CloudError> {
        let found = self.source(config).provide_credentials().await;
        found.map(|_| ()).map_err(|error| without_credentials(ASSUME_ROLE, &error))
    }

    fn source(&self, config: &SdkConfig) -> ProfileFileCredentialsProvider {
        let provider = ProviderConfig::without_region()
            .with_region(config.region().cloned())
            .with_http_client(super::http::client());
        ProfileFileCredentialsProvider::builder().configure(&provider).profile_name(&self.source).build()
    }

    /// Assumes the role and returns its credentials.
    pub(super) async fn credentials(
        &self,
        config: &SdkConfig,
        code: &str,
    ) -> Result<SharedCredentialsProvider, CloudError> {
        let base = self.source(config);
        let config = config.to_builder().credentials_provider(SharedCredentialsProvider::new(base)).build();
        let taken = aws_sdk_sts::Client::new(&config)
            .assume_role()
            .role_arn(&self.role)
            .role_session_name("deployer")
            .serial_number(&self.device)
            .token_code(code)
            .send()
            .await
            .map_err(|error| cloud_error(ASSUME_ROLE, &error))?;
        let made = taken.credentials.ok_or_else(|| CloudError {
            kind: CloudErrorKind::Other,
            operation: ASSUME_ROLE,
            code: "no credentials in the answer".to_owned(),
            message: String::new(),
        })?;
        let expires = std::time::SystemTime::try_from(made.expiration).ok();
        let made = Credentials::new(
            made.access_key_id,
            made.secret_access_key,
            Some(made.session_token),
            expires,
            "second factor",
        );
        Ok(SharedCredentialsProvider::new(made))
    }
}
