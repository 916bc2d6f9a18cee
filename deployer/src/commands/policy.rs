//! `policy`: prints the IAM policies, and the SHA-256 of the host program that the stack's document must name. It uses
//! only the configuration: it sends no request to AWS and needs no credentials.

use clap::ValueEnum;
use serde_json::json;

use super::written_out;
use crate::{
    config::{ConfigFile, ValueOrReference},
    console::Console,
    failure::Failure,
    policy,
    script::program_sha256,
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The policy to print (default: the three policies, as one object)
    #[arg(value_enum)]
    policy: Option<PolicyFor>,
    /// Print the operator's policy with the rights that deployer port-forward needs
    #[arg(long)]
    port_forward: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PolicyFor {
    /// For daily work with the deployer
    Operator,
    /// The additional rights that `deployer init` needs, once
    Init,
    /// For the box's role
    Instance,
    /// The SHA-256 of this version's host program, for the stack's `ProgramSha256`
    Program,
}

impl Args {
    /// Returns whether only the program's SHA-256 is asked for. It needs no configuration, because it is printed before
    /// there is one.
    pub(super) fn is_for_the_program(&self) -> bool {
        self.policy == Some(PolicyFor::Program) && !self.port_forward
    }
}

/// Prints the SHA-256 of this version's host program.
pub(super) fn program(console: &Console) {
    console.result(&json!({"program_sha256": program_sha256()}));
    console.data(&program_sha256());
    console
        .next("Give it to the stack as ProgramSha256 (several with blanks between: the one that runs now may stay).");
}

pub(super) fn run(config_file: &ConfigFile, console: &Console, args: &Args) -> Result<(), Failure> {
    let file = &config_file.file;
    if args.port_forward && !matches!(args.policy, None | Some(PolicyFor::Operator)) {
        return Err(Failure::usage(
            "--port-forward is only for the operator's policy",
            "Run deployer policy operator --port-forward.",
        ));
    }
    let operator = if args.port_forward { policy::operator_with_port_forward(file) } else { policy::operator(file) };
    let policy = match args.policy {
        Some(PolicyFor::Operator) => json!(operator),
        Some(PolicyFor::Init) => json!(policy::init(file)),
        Some(PolicyFor::Instance) => json!(policy::instance(file)),
        Some(PolicyFor::Program) => {
            program(console);
            return Ok(());
        }
        None => {
            json!({"operator": operator, "init": policy::init(file), "instance": policy::instance(file)})
        }
    };
    let text = written_out(&policy)?;
    console.result(&json!({"policy": policy}));
    console.data(&text);
    let runs_as_root =
        matches!(&file.first_box.document, ValueOrReference::Literal(name) if name == "AWS-RunShellScript");
    if runs_as_root && args.policy != Some(PolicyFor::Instance) {
        console.warn(
            "box.document is AWS-RunShellScript: a user with the operator's policy can run any command as root on the box. \
             The stack's own document runs only the deployer's programs: deployer policy program, config/README.md.",
        );
    }
    let unfilled = placeholders(&text);
    console.next(&if unfilled.is_empty() {
        "deployer policy operator | aws iam put-user-policy --user-name ... --policy-name deployer --policy-document file:///dev/stdin"
            .to_owned()
    } else {
        format!("Replace the placeholders with the values of your AWS account: {}.", unfilled.join(", "))
    });
    Ok(())
}

/// Returns the placeholders in angle brackets, each once.
fn placeholders(text: &str) -> Vec<String> {
    let mut unfilled: Vec<String> = text
        .split('<')
        .skip(1)
        .filter_map(|after| after.split_once('>'))
        .map(|(name, _)| format!("<{name}>"))
        .collect();
    unfilled.sort();
    unfilled.dedup();
    unfilled
}
