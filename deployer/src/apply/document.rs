//! The stack's own SSM document runs the programs that it names, and no other. A newer deployer has another program:
//! this says so before anything starts, with the command that names it and touches nothing but the document.

use crate::{
    failure::Failure,
    script::program_sha256,
    site::{DeployContext, Ports},
};

/// What the document says of this deployer's program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approval {
    /// It runs any program: it is not the stack's own.
    Any,
    /// It names this one, among so many.
    Named(usize),
    /// It names others: these.
    Missing(Vec<String>),
    /// It could not be read, for this reason: the host decides.
    Unread(String),
}

/// Asks the document.
pub async fn approval<P: Ports>(site: &DeployContext<'_, P>) -> Approval {
    match site.ports.programs().await {
        Ok(None) => Approval::Any,
        Ok(Some(named)) if named.contains(&program_sha256()) => Approval::Named(named.len()),
        Ok(Some(named)) => Approval::Missing(named),
        Err(error) => Approval::Unread(error.to_string()),
    }
}

/// Refuses where the document would; what cannot be read is for the host to decide.
pub(super) async fn check<P: Ports>(site: &DeployContext<'_, P>) -> Result<(), Failure> {
    match approval(site).await {
        Approval::Missing(named) => Err(refused(site, &named).await),
        _ => Ok(()),
    }
}

/// The document refused the program on the host.
pub(super) async fn refusal<P: Ports>(site: &DeployContext<'_, P>) -> Failure {
    let named = site.ports.programs().await.ok().flatten().unwrap_or_default();
    refused(site, &named).await
}

async fn refused<P: Ports>(site: &DeployContext<'_, P>, named: &[String]) -> Failure {
    Failure::unchanged(
        format!(
            "the SSM document {} does not know this version of the deployer's program ({}, which deployer policy program \
             prints); nothing was changed. Deployers whose program it names go on working",
            site.settings.document,
            program_sha256()
        ),
        mend(site, named).await,
    )
}

/// The command that names this program beside the others. The stack keeps its own template, so that no change of the
/// checkout's comes along: another `UserData`, say, stops the instance. The image is given by the id that the instance
/// has: a stack of an older template, which looks the image up by a name, refuses that and takes no newer one.
pub async fn mend<P: Ports>(site: &DeployContext<'_, P>, named: &[String]) -> String {
    let settings = &site.settings;
    let stack = format!("--region {} --stack-name {}", settings.region, settings.name);
    let describe =
        |query: &str| format!("$(aws cloudformation describe-stacks {stack} --output text --query \"{query}\"");
    let before = if named.is_empty() {
        describe("Stacks[0].Parameters[?ParameterKey=='ProgramSha256'].ParameterValue") + ")"
    } else {
        named.join(" ")
    };
    let (image, others) = match site.ports.instance(&settings.instance_id).await {
        Ok(instance) if !instance.image.is_empty() => {
            (format!(" ParameterKey=ImageId,ParameterValue={}", instance.image), " && ParameterKey!='ImageId'")
        }
        _ => (String::new(), ""),
    };
    // What is not named would go back to its default.
    let others = describe(&format!("Stacks[0].Parameters[?ParameterKey!='ProgramSha256'{others}].[ParameterKey]"))
        + " | sed 's/.*/ParameterKey=&,UsePreviousValue=true/')";
    format!(
        "Name it beside the others; the stack keeps its template and its other parameters, so this changes the document and \
         leaves the instance, its disk and its address alone: \
         aws cloudformation update-stack {stack} --use-previous-template --capabilities CAPABILITY_IAM \
         --parameters ParameterKey=ProgramSha256,ParameterValue=\"{before} {}\"{image} {others}. If CloudFormation refuses \
         a parameter, the stack has an older template: look at a change set of the new one first (config/README.md)",
        program_sha256()
    )
}
