//! The least IAM policies for the operator and the box, made only from the configuration. Pure: placeholders in angle
//! brackets mark values of the AWS account.

mod place;

use serde::Serialize;
use serde_json::{Value, json};

pub use place::ArnScope;

use crate::config::File;

/// A policy document in IAM's format.
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

    /// Returns the actions that the policy allows, such as `ssm:SendCommand`, in the order of its statements.
    pub fn actions(&self) -> impl Iterator<Item = &'static str> {
        self.statement.iter().flat_map(|statement| statement.action.iter().copied())
    }
}

fn allow(sid: &'static str, action: &[&'static str], resource: impl IntoIterator<Item = String>) -> Statement {
    let resource = resource.into_iter().collect();
    Statement { sid, effect: "Allow", action: action.to_vec(), resource, condition: None }
}

/// The resource of actions for which AWS accepts no narrower one, or none that is known in advance.
fn anywhere() -> [String; 1] {
    ["*".to_owned()]
}

/// Returns the policy for daily work with the deployer. It cannot read secrets and, apart from the deployer's own SSM
/// parameters, cannot create resources.
#[must_use]
pub fn operator(file: &File) -> Policy {
    let arns = ArnScope::of(file);
    let see = [
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceStatus",
        "ec2:DescribeSecurityGroups",
        // For the other zones that offer the instance type, and the cost of a snapshot of the disk to move there.
        "ec2:DescribeInstanceTypeOfferings",
        "ec2:DescribeVolumes",
        "ssm:DescribeInstanceInformation",
    ];
    // IAM cannot limit these two actions to an instance. The ids of other operators' commands cannot be guessed, and
    // this policy does not allow ssm:ListCommands, which would show the ids, parameters and comments of all commands in
    // the account.
    let follow = ["ssm:GetCommandInvocation", "ssm:CancelCommand"];
    let lock_and_record = ["ssm:GetParameter", "ssm:PutParameter", "ssm:DeleteParameter"];
    let verified = file.attestation.trust().is_some();
    Policy::of(vec![
        allow("SeeTheBox", &see, anywhere()),
        allow("SeeTheBoxsProtection", &["ec2:DescribeInstanceAttribute"], arns.instances()),
        allow("StartAndStopTheBox", &["ec2:StartInstances", "ec2:StopInstances"], arns.instances()),
        allow("RunHostPrograms", &["ssm:SendCommand"], arns.instances().into_iter().chain([arns.document()])),
        allow("FollowCommands", &follow, anywhere()),
        allow("SeeWhichProgramsAreNamed", &["ssm:GetDocument"], [arns.document()]),
        allow("ReadReferences", &["ssm:GetParameter"], arns.references()),
        allow("LockAndRemember", &lock_and_record, arns.own_parameters()),
        // gh uses the operator's own registry login to look up a tag or a digest.
        allow("LogInToTheRegistry", &["ecr:GetAuthorizationToken"], anywhere().into_iter().filter(|_| verified)),
        allow("SeeTheVerifiedImages", &["ecr:BatchGetImage"], arns.repositories().into_iter().filter(|_| verified)),
        allow("SeeThatTheTokenIsThere", &["secretsmanager:DescribeSecret"], [arns.secret()]),
    ])
    .without_empty()
}

/// Returns the operator's policy with the additional rights that `port-forward` needs. With AWS' own document the
/// caller chooses the port, so these rights reach every port of the box's loopback; the ordinary policy therefore lacks
/// them.
#[must_use]
pub fn operator_with_port_forward(file: &File) -> Policy {
    let arns = ArnScope::of(file);
    let start = Statement {
        // Without this condition AWS checks the right to a document only if the request names one. A request that names
        // none opens a shell.
        condition: Some(json!({"BoolIfExists": {"ssm:SessionDocumentAccessCheck": "true"}})),
        ..allow("ForwardAPort", &["ssm:StartSession"], arns.instances().into_iter().chain([arns.port_forwarding()]))
    };
    let own_sessions = Statement {
        // A session's id begins with the name of the user or of the role session, and no IAM variable has that name in
        // every case. Session Manager sets this tag, which always has the caller's id.
        condition: Some(json!({"StringEquals": {"ssm:resourceTag/aws:ssmmessages:session-id": "${aws:userid}"}})),
        ..allow("EndAndResumeOwnSessions", &["ssm:ResumeSession", "ssm:TerminateSession"], [arns.sessions()])
    };
    // This right opens a channel only with the session's token, which only StartSession returns.
    let channel = allow("OpenTheSessionsChannel", &["ssmmessages:OpenDataChannel"], anywhere());
    let mut policy = operator(file);
    policy.statement.extend([start, own_sessions, channel]);
    policy
}

/// Returns the additional rights that `init` needs. Remove them again after `init`.
#[must_use]
pub fn init(file: &File) -> Policy {
    let arns = ArnScope::of(file);
    let create = Statement {
        // The secret does not exist yet and has no ARN, so a condition names it.
        condition: Some(json!({"StringEquals": {"secretsmanager:Name": arns.secret_name()}})),
        ..allow("MakeTheTokensSecret", &["secretsmanager:CreateSecret"], anywhere())
    };
    Policy::of(vec![
        allow("SeeTheBoxsAddress", &["ec2:DescribeInstances"], anywhere()),
        allow("FillInReferences", &["ssm:GetParameter", "ssm:PutParameter"], arns.references()),
        create,
        allow("ReplaceTheToken", &["secretsmanager:DescribeSecret", "secretsmanager:PutSecretValue"], [arns.secret()]),
    ])
    .without_empty()
}

/// Returns the policy for the box's role, the same as in config/cloudformation.yaml.
#[must_use]
pub fn instance(file: &File) -> Policy {
    let arns = ArnScope::of(file);
    // The actions of AWS' policy AmazonSSMManagedInstanceCore, except the right to read every parameter of the account.
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
        allow("PullTheTwoImages", &pull, arns.repositories()),
        allow("ReadTheHuggingFaceToken", &token, [arns.secret()]),
        allow("StopItselfWhenIdle", &["ec2:StopInstances"], [arns.instance()]),
        allow("WriteTheOutputOfCommands", &logs, [arns.log_group()]),
        allow("FindTheLogGroup", &["logs:DescribeLogGroups"], anywhere()),
    ])
}

impl Policy {
    /// Removes statements without a resource, which IAM would refuse.
    fn without_empty(mut self) -> Self {
        self.statement.retain(|statement| !statement.resource.is_empty());
        self
    }
}

#[cfg(test)]
mod tests;
