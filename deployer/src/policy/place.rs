//! The ARNs of the resources that a configuration names.

use crate::config::{File, ValueOrReference, own_parameters, parameters_of_box};

/// The prefix of AWS' own SSM documents, whose ARN has no account.
const AWS_DOCUMENTS: &str = "AWS-";

/// The partition, region and account of a deployment, from which the ARNs are made.
#[derive(Clone, Debug)]
pub struct ArnScope<'a> {
    file: &'a File,
    partition: &'static str,
    account: String,
}

impl<'a> ArnScope<'a> {
    /// Reads the partition and the account from the configuration. The account is known only if the registry is a
    /// literal; otherwise a placeholder takes its place.
    #[must_use]
    pub fn of(file: &'a File) -> Self {
        let partition = match file.region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if file.region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        let account = match &file.images.registry {
            ValueOrReference::Literal(registry) => registry.split('.').next().filter(|account| is_account(account)),
            ValueOrReference::Parameter(_) => None,
        };
        Self { file, partition, account: account.unwrap_or("<your account's number>").to_owned() }
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition, self.file.region, self.account)
    }

    pub(super) fn instance(&self) -> String {
        self.arn("ec2", &format!("instance/{}", self.file.first_box.instance_id.shown()))
    }

    /// Returns the ARNs of all boxes.
    pub(super) fn instances(&self) -> Vec<String> {
        let further = self.file.first_box.models.iter();
        let further = further.map(|further| self.arn("ec2", &format!("instance/{}", further.instance_id.shown())));
        std::iter::once(self.instance()).chain(further).collect()
    }

    pub(super) fn document(&self) -> String {
        let name = self.file.first_box.document.shown();
        if name.starts_with(AWS_DOCUMENTS) {
            return format!("arn:{}:ssm:{}::document/{name}", self.partition, self.file.region);
        }
        self.arn("ssm", &format!("document/{name}"))
    }

    /// Returns the ARN of AWS' own document that forwards a port.
    pub(super) fn port_forwarding(&self) -> String {
        format!("arn:{}:ssm:{}::document/AWS-StartPortForwardingSession", self.partition, self.file.region)
    }

    pub(super) fn sessions(&self) -> String {
        self.arn("ssm", "session/*")
    }

    pub(super) fn repositories(&self) -> Vec<String> {
        let images = &self.file.images;
        [&images.gateway, &images.vllm]
            .map(|image| self.arn("ecr", &format!("repository/{}", image.repository.shown())))
            .to_vec()
    }

    pub(super) fn secret_name(&self) -> String {
        self.file.secret.id.shown()
    }

    /// Returns the ARN of the secret. Secrets Manager appends a hyphen and six random characters to the name.
    pub(super) fn secret(&self) -> String {
        self.arn("secretsmanager", &format!("secret:{}-??????", self.secret_name()))
    }

    pub(super) fn references(&self) -> Vec<String> {
        self.file.references().iter().map(|(_, name)| self.parameter(name)).collect()
    }

    pub(super) fn own_parameters(&self) -> Vec<String> {
        let name = &self.file.name;
        let further = self.file.first_box.models.iter();
        let further = further.flat_map(|further| parameters_of_box(name, &further.instance_id.shown()));
        own_parameters(name).into_iter().chain(further).map(|name| self.parameter(&name)).collect()
    }

    fn parameter(&self, name: &str) -> String {
        self.arn("ssm", &format!("parameter{name}"))
    }

    pub(super) fn log_group(&self) -> String {
        self.arn("logs", &format!("log-group:/extraction-gateway/{}:*", self.file.name))
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
