//! Checks that the stack's SSM document names this deployer's program. The document runs no other program, and a newer
//! deployer has another one. The check comes before anything starts, and its error has the command that adds the
//! program and changes nothing but the document.

use crate::{
    context::{DeployContext, Ports},
    failure::Failure,
    script::program_sha256,
};

/// How the document treats this deployer's program, by its SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramStatus {
    /// It runs any program, because it is not the stack's own document.
    Any,
    /// It names this program. The number counts all programs that it names.
    Named(usize),
    /// It names only these other programs.
    Missing(Vec<String>),
    /// It could not be read, for this reason. The host decides.
    Unread(String),
}

/// Reads the document.
pub async fn program_status<P: Ports>(context: &DeployContext<'_, P>) -> ProgramStatus {
    match context.ports.programs().await {
        Ok(None) => ProgramStatus::Any,
        Ok(Some(named)) if named.contains(&program_sha256()) => ProgramStatus::Named(named.len()),
        Ok(Some(named)) => ProgramStatus::Missing(named),
        Err(error) => ProgramStatus::Unread(error.to_string()),
    }
}

/// Returns the failure that the document would cause. If it cannot be read, the host decides later.
pub(super) async fn check<P: Ports>(context: &DeployContext<'_, P>) -> Result<(), Failure> {
    match program_status(context).await {
        ProgramStatus::Missing(named) => Err(refused(context, &named).await),
        _ => Ok(()),
    }
}

/// Returns the failure for a program that the document refused on the host.
pub(super) async fn refusal<P: Ports>(context: &DeployContext<'_, P>) -> Failure {
    let named = context.ports.programs().await.ok().flatten().unwrap_or_default();
    refused(context, &named).await
}

async fn refused<P: Ports>(context: &DeployContext<'_, P>, named: &[String]) -> Failure {
    Failure::unchanged(
        format!(
            "the SSM document {} does not know this version of the deployer's program ({}, which deployer policy program \
             prints); nothing was changed. Deployers whose program it names keep working",
            context.settings.document,
            program_sha256()
        ),
        update_command(context, named).await,
    )
}

/// Returns the command that adds this program to the document. The stack keeps its own template, so that no change of
/// the checkout's template is applied: another `UserData`, for example, stops the instance. The command passes the id
/// of the instance's image: a stack with an older template, which looks the image up by name, refuses that id and does
/// not take a newer image.
pub async fn update_command<P: Ports>(context: &DeployContext<'_, P>, named: &[String]) -> String {
    let settings = &context.settings;
    let stack = format!("--region {} --stack-name {}", settings.region, settings.name);
    let describe =
        |query: &str| format!("$(aws cloudformation describe-stacks {stack} --output text --query \"{query}\"");
    let before = if named.is_empty() {
        describe("Stacks[0].Parameters[?ParameterKey=='ProgramSha256'].ParameterValue") + ")"
    } else {
        named.join(" ")
    };
    let (image, others) = match context.ports.instance(&settings.instance_id).await {
        Ok(instance) if !instance.image.is_empty() => {
            (format!(" ParameterKey=ImageId,ParameterValue={}", instance.image), " && ParameterKey!='ImageId'")
        }
        _ => (String::new(), ""),
    };
    // A parameter that is not named would go back to its default.
    let others = describe(&format!("Stacks[0].Parameters[?ParameterKey!='ProgramSha256'{others}].[ParameterKey]"))
        + " | sed 's/.*/ParameterKey=&,UsePreviousValue=true/')";
    format!(
        "Add it to the others; the stack keeps its template and its other parameters, so this changes the document and \
         changes neither the instance nor its disk nor its address: \
         aws cloudformation update-stack {stack} --use-previous-template --capabilities CAPABILITY_IAM \
         --parameters ParameterKey=ProgramSha256,ParameterValue=\"{before} {}\"{image} {others}. If CloudFormation refuses \
         a parameter, the stack has an older template: review a change set of the new one first (config/README.md)",
        program_sha256()
    )
}
