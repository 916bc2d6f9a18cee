//! Implements the ports with AWS' SDK. No other module names an AWS type. This one prints and decides nothing.

mod ec2;
mod error;
mod http;
mod login;
mod parameters;
mod run_command;
mod secrets;
mod session;

use std::{cell::RefCell, rc::Rc, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use error::cloud_error;
pub use login::SecondFactor;

use crate::{
    cloud::{
        AgentState, Cloud, CloudError, CommandId, Host, Identity, Ingress, Instance, Invocation, Session, Sessions,
        StatusChecks,
    },
    config::Settings,
    script::Script,
    secret::Secret,
};

/// An AWS account in one region, and one host in it.
#[derive(Clone, Debug)]
pub struct Aws {
    region: String,
    /// Replaced when credentials are renewed, because the SDK keeps those that it has loaded.
    clients: Rc<RefCell<Clients>>,
    /// The second factor that new credentials need.
    factor: Option<SecondFactor>,
    /// AWS' endpoint URL, if it is not the default.
    endpoint: Option<String>,
    target: ScriptTarget,
}

/// A client for each service; cheap to clone.
#[derive(Clone, Debug)]
struct Clients {
    ec2: aws_sdk_ec2::Client,
    ssm: aws_sdk_ssm::Client,
    secrets: aws_sdk_secretsmanager::Client,
    sts: aws_sdk_sts::Client,
}

/// The host that runs the scripts, and how they are sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScriptTarget {
    pub(crate) instance_id: String,
    pub(crate) document: String,
    pub(crate) delivery_seconds: u32,
    /// The log group of the stack that the document belongs to.
    pub(crate) log_group: String,
}

impl Aws {
    /// Connects with the credentials that every AWS tool finds (environment, profile, SSO), in the configured region.
    pub async fn connect(region: &str) -> Self {
        let plain = configuration(region).await;
        Self::of(region, &plain, Clients::of(&plain), None)
    }

    /// Checks that nothing but the code of the second factor is missing.
    pub async fn check(region: &str, factor: &SecondFactor) -> Result<(), CloudError> {
        factor.check(&configuration(region).await).await
    }

    /// Connects with a role that requires the code of a second factor.
    pub async fn connect_with(region: &str, factor: SecondFactor, code: &str) -> Result<Self, CloudError> {
        let plain = configuration(region).await;
        let clients = Clients::with(&plain, &factor, code).await?;
        Ok(Self::of(region, &plain, clients, Some(factor)))
    }

    fn of(region: &str, plain: &SdkConfig, clients: Clients, factor: Option<SecondFactor>) -> Self {
        let endpoint = plain.endpoint_url().map(str::to_owned);
        Self {
            region: region.to_owned(),
            clients: Rc::new(RefCell::new(clients)),
            factor,
            endpoint,
            target: ScriptTarget::default(),
        }
    }

    /// Returns the same connection to the account for the host of these settings. Renewed credentials are those of
    /// both.
    #[must_use]
    pub fn for_host(&self, settings: &Settings) -> Self {
        Self {
            region: self.region.clone(),
            clients: Rc::clone(&self.clients),
            factor: self.factor.clone(),
            endpoint: self.endpoint.clone(),
            target: ScriptTarget::default(),
        }
        .with_host(settings)
    }

    /// Sets the host that runs the scripts.
    #[must_use]
    pub fn with_host(self, settings: &Settings) -> Self {
        let target = ScriptTarget {
            instance_id: settings.instance_id.clone(),
            document: settings.document.clone(),
            delivery_seconds: settings.wait.delivery_seconds,
            log_group: format!("/extraction-gateway/{}", settings.name),
        };
        Self { target, ..self }
    }

    fn ec2(&self) -> aws_sdk_ec2::Client {
        self.clients.borrow().ec2.clone()
    }

    fn ssm(&self) -> aws_sdk_ssm::Client {
        self.clients.borrow().ssm.clone()
    }

    fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        self.clients.borrow().secrets.clone()
    }

    fn sts(&self) -> aws_sdk_sts::Client {
        self.clients.borrow().sts.clone()
    }
}

async fn configuration(region: &str) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(20))
        .operation_timeout(Duration::from_mins(1))
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .http_client(http::client())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(4))
        .load()
        .await
}

impl Clients {
    async fn with(plain: &SdkConfig, factor: &SecondFactor, code: &str) -> Result<Self, CloudError> {
        let credentials = factor.credentials(plain, code).await?;
        Ok(Self::of(&plain.to_builder().credentials_provider(credentials).build()))
    }

    fn of(config: &SdkConfig) -> Self {
        Self {
            ec2: aws_sdk_ec2::Client::new(config),
            ssm: aws_sdk_ssm::Client::new(config),
            secrets: aws_sdk_secretsmanager::Client::new(config),
            sts: aws_sdk_sts::Client::new(config),
        }
    }
}

impl Cloud for Aws {
    async fn renew(&self) {
        // New clients without a new code would have no credentials at all.
        if self.factor.is_none() {
            let clients = Clients::of(&configuration(&self.region).await);
            self.clients.replace(clients);
        }
    }

    fn code_question(&self) -> Option<String> {
        self.factor.as_ref().map(SecondFactor::question)
    }

    async fn renew_with(&self, code: &str) -> Result<(), CloudError> {
        if let Some(factor) = &self.factor {
            let clients = Clients::with(&configuration(&self.region).await, factor, code).await?;
            self.clients.replace(clients);
        }
        Ok(())
    }

    async fn identity(&self) -> Result<Identity, CloudError> {
        let operation = "GetCallerIdentity";
        let caller = self.sts().get_caller_identity().send().await.map_err(|error| cloud_error(operation, &error))?;
        Ok(Identity { account: caller.account.unwrap_or_default(), arn: caller.arn.unwrap_or_default() })
    }

    async fn instance(&self, id: &str) -> Result<Instance, CloudError> {
        ec2::instance(&self.ec2(), id).await
    }

    async fn checks(&self, id: &str) -> Result<StatusChecks, CloudError> {
        ec2::checks(&self.ec2(), id).await
    }

    async fn start(&self, id: &str) -> Result<(), CloudError> {
        ec2::start(&self.ec2(), id).await
    }

    async fn stop(&self, id: &str) -> Result<(), CloudError> {
        ec2::stop(&self.ec2(), id).await
    }

    async fn agent(&self, id: &str) -> Result<AgentState, CloudError> {
        run_command::agent(&self.ssm(), id).await
    }

    async fn zones_with(&self, kind: &str) -> Result<Vec<String>, CloudError> {
        ec2::zones_with(&self.ec2(), kind).await
    }

    async fn disk_gib(&self, volume: &str) -> Result<u32, CloudError> {
        ec2::disk_gib(&self.ec2(), volume).await
    }

    async fn termination_protected(&self, id: &str) -> Result<bool, CloudError> {
        ec2::termination_protected(&self.ec2(), id).await
    }

    async fn ingress(&self, groups: &[String]) -> Result<Vec<Ingress>, CloudError> {
        ec2::ingress(&self.ec2(), groups).await
    }

    async fn parameter(&self, name: &str) -> Result<Option<String>, CloudError> {
        parameters::get(&self.ssm(), name).await
    }

    async fn put_parameter(&self, name: &str, value: &str) -> Result<(), CloudError> {
        parameters::put(&self.ssm(), name, value, true).await.map(|_| ())
    }

    async fn put_new_parameter(&self, name: &str, value: &str) -> Result<bool, CloudError> {
        parameters::put(&self.ssm(), name, value, false).await
    }

    async fn delete_parameter(&self, name: &str) -> Result<(), CloudError> {
        parameters::delete(&self.ssm(), name).await
    }

    async fn has_secret(&self, id: &str) -> Result<bool, CloudError> {
        secrets::has(&self.secrets(), id).await
    }

    async fn create_secret(&self, id: &str, value: &Secret) -> Result<(), CloudError> {
        secrets::create(&self.secrets(), id, value).await
    }

    async fn replace_secret(&self, id: &str, value: &Secret) -> Result<(), CloudError> {
        secrets::replace(&self.secrets(), id, value).await
    }
}

impl Host for Aws {
    async fn programs(&self) -> Result<Option<Vec<String>>, CloudError> {
        run_command::programs(&self.ssm(), &self.target).await
    }

    async fn send(&self, script: &Script, name: &str, limit_seconds: u32) -> Result<CommandId, CloudError> {
        run_command::send(&self.ssm(), &self.target, script, name, limit_seconds).await
    }

    async fn find(&self, name: &str) -> Result<Option<CommandId>, CloudError> {
        run_command::find(&self.ssm(), &self.target, name).await
    }

    async fn get_invocation(&self, id: &CommandId) -> Result<Invocation, CloudError> {
        run_command::get_invocation(&self.ssm(), &self.target.instance_id, id).await
    }

    async fn cancel(&self, id: &CommandId) -> Result<(), CloudError> {
        run_command::cancel(&self.ssm(), &self.target.instance_id, id).await
    }
}

impl Sessions for Aws {
    async fn open_session(&self, port: u16, local: u16, reason: &str) -> Result<Session, CloudError> {
        let request = session::Request { instance_id: &self.target.instance_id, port, local, reason };
        session::open(&self.ssm(), &self.region, self.endpoint.as_deref(), &request).await
    }

    async fn end_session(&self, id: &str) -> Result<(), CloudError> {
        session::end(&self.ssm(), id).await
    }
}

#[cfg(test)]
mod tests;
