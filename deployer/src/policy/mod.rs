//! The IAM policies that the operator and the box need, and no more, from the configuration alone. Pure: what only AWS
//! knows stands in pointed brackets.

mod place;

use serde::Serialize;
use serde_json::{Value, json};

pub use place::Place;

use crate::config::File;

/// A policy document, as IAM takes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: &'static str,
    effect: &'static str,
    action: Vec<&'static str>,
    resource: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Value>,
}

impl Policy {
    fn of(statement: Vec<Statement>) -> Self {
        Self { version: "2012-10-17", statement }
    }

    /// What it allows, such as `ssm:SendCommand`, in order.
    pub fn actions(&self) -> impl Iterator<Item = &'static str> {
        self.statement.iter().flat_map(|statement| statement.action.iter().copied())
    }
}

fn allow(sid: &'static str, action: &[&'static str], resource: impl IntoIterator<Item = String>) -> Statement {
    let resource = resource.into_iter().collect();
    Statement { sid, effect: "Allow", action: action.to_vec(), resource, condition: None }
}

/// AWS takes no narrower resource for these actions.
fn anywhere() -> [String; 1] {
    ["*".to_owned()]
}

/// For whoever runs `deployer` day by day: it can read no secret, and make nothing.
#[must_use]
pub fn operator(file: &File) -> Policy {
    let place = Place::of(file);
    let see = [
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceStatus",
        "ec2:DescribeSecurityGroups",
        // Where else there may be room, and what its disk would cost there.
        "ec2:DescribeInstanceTypeOfferings",
        "ec2:DescribeVolumes",
        "ssm:DescribeInstanceInformation",
    ];
    // IAM ties neither to an instance. A command that somebody else sent has an id that nobody guesses, and nothing here
    // lists them: ssm:ListCommands would show ids, parameters and comments of everybody's in the account.
    let follow = ["ssm:GetCommandInvocation", "ssm:CancelCommand"];
    let own = ["ssm:GetParameter", "ssm:PutParameter", "ssm:DeleteParameter"];
    let verified = file.attestation.trust().is_some();
    Policy::of(vec![
        allow("SeeTheBox", &see, anywhere()),
        allow("SeeTheBoxsProtection", &["ec2:DescribeInstanceAttribute"], [place.instance()]),
        allow("StartAndStopTheBox", &["ec2:StartInstances", "ec2:StopInstances"], [place.instance()]),
        allow("RunHostPrograms", &["ssm:SendCommand"], [place.instance(), place.document()]),
        allow("FollowCommands", &follow, anywhere()),
        allow("SeeWhichProgramsAreNamed", &["ssm:GetDocument"], [place.document()]),
        allow("ReadReferences", &["ssm:GetParameter"], place.references()),
        allow("LockAndRemember", &own, place.own_parameters()),
        // With the operator's own login, gh reads what a tag or a digest is.
        allow("LogInToTheRegistry", &["ecr:GetAuthorizationToken"], anywhere().into_iter().filter(|_| verified)),
        allow("SeeTheVerifiedImages", &["ecr:BatchGetImage"], place.repositories().into_iter().filter(|_| verified)),
        allow("SeeThatTheTokenIsThere", &["secretsmanager:DescribeSecret"], [place.secret()]),
    ])
    .without_empty()
}

/// The same with what `port-forward` needs beside. AWS' own document lets the caller choose the port: whoever has this
/// reaches every port of the box's loopback, so it is not in the policy of every operator.
#[must_use]
pub fn operator_with_port_forward(file: &File) -> Policy {
    let place = Place::of(file);
    let start = Statement {
        // Without it AWS asks only for a right to the document that is named. Where none is, the session is a shell.
        condition: Some(json!({"BoolIfExists": {"ssm:SessionDocumentAccessCheck": "true"}})),
        ..allow("ForwardAPort", &["ssm:StartSession"], [place.instance(), place.port_forwarding()])
    };
    let own = Statement {
        // A session's id begins with the user's name or the role session's, which no variable of IAM is in every case;
        // this tag, which Session Manager sets, is always the caller's id.
        condition: Some(json!({"StringEquals": {"ssm:resourceTag/aws:ssmmessages:session-id": "${aws:userid}"}})),
        ..allow("EndAndResumeOwnSessions", &["ssm:ResumeSession", "ssm:TerminateSession"], [place.sessions()])
    };
    // Without the session's token, which StartSession alone gives, it opens nothing.
    let channel = allow("OpenTheSessionsChannel", &["ssmmessages:OpenDataChannel"], anywhere());
    let mut policy = operator(file);
    policy.statement.extend([start, own, channel]);
    policy
}

/// What `init` needs beside: to be taken away again afterwards.
#[must_use]
pub fn init(file: &File) -> Policy {
    let place = Place::of(file);
    let create = Statement {
        // A secret that is not there yet has no ARN to name.
        condition: Some(json!({"StringEquals": {"secretsmanager:Name": place.secret_name()}})),
        ..allow("MakeTheTokensSecret", &["secretsmanager:CreateSecret"], anywhere())
    };
    Policy::of(vec![
        allow("SeeTheBoxsAddress", &["ec2:DescribeInstances"], anywhere()),
        allow("FillInReferences", &["ssm:GetParameter", "ssm:PutParameter"], place.references()),
        create,
        allow("ReplaceTheToken", &["secretsmanager:DescribeSecret", "secretsmanager:PutSecretValue"], [place.secret()]),
    ])
    .without_empty()
}

/// For the box's role; config/cloudformation.yaml gives it the same.
#[must_use]
pub fn instance(file: &File) -> Policy {
    let place = Place::of(file);
    // AmazonSSMManagedInstanceCore without its right to read every parameter of the account.
    let managed = [
        "ssm:UpdateInstanceInformation",
        "ssm:ListAssociations",
        "ssm:ListInstanceAssociations",
        "ssm:UpdateInstanceAssociationStatus",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
        "ec2messages:AcknowledgeMessage",
        "ec2messages:DeleteMessage",
        "ec2messages:FailMessage",
        "ec2messages:GetEndpoint",
        "ec2messages:GetMessages",
        "ec2messages:SendReply",
    ];
    let pull =
        ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"];
    let token = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"];
    let logs = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"];
    Policy::of(vec![
        allow("BeManagedBySystemsManager", &managed, anywhere()),
        allow("LogInToTheRegistry", &["ecr:GetAuthorizationToken"], anywhere()),
        allow("PullTheTwoImages", &pull, place.repositories()),
        allow("ReadTheHuggingFaceToken", &token, [place.secret()]),
        allow("StopItselfWhenIdle", &["ec2:StopInstances"], [place.instance()]),
        allow("WriteTheOutputOfCommands", &logs, [place.log_group()]),
        allow("FindTheLogGroup", &["logs:DescribeLogGroups"], anywhere()),
    ])
}

impl Policy {
    /// IAM refuses a statement that names no resource.
    fn without_empty(mut self) -> Self {
        self.statement.retain(|statement| !statement.resource.is_empty());
        self
    }
}

#[cfg(test)]
mod tests;
