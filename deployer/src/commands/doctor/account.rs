//! Checks from the operator's machine: the files, the secret, the lock, the SSM document, the instance and its
//! surroundings in AWS.

use super::finding::{Findings, Level};
use crate::{
    apply::{lock, ssm_document, ssm_document::ProgramStatus},
    cloud::{Ingress, Instance, InstanceState, StatusChecks, quota_hint},
    config::{BoxRole, ConfigFile, DeployPayload, Settings},
    context::{DeployContext, Ports},
};

pub(super) fn files(config_file: &ConfigFile, settings: &Settings, findings: &mut Findings) {
    match DeployPayload::gather(config_file, settings) {
        Ok(payload) => {
            findings.add("files", Level::Ok, format!("{} files travel with a deploy", payload.files.len()), "", "");
        }
        Err(failure) => findings.failed("files", "They travel to the host with every deploy.", failure),
    }
}

pub(super) async fn secret<P: Ports>(context: &DeployContext<'_, P>, findings: &mut Findings) {
    let id = &context.settings.secret_id;
    let why = "The host needs the Hugging Face token in this secret to download the model.";
    match context.ports.has_secret(id).await {
        Ok(true) => {
            findings.add("secret", Level::Ok, format!("{id} exists (its format is checked on the host)"), "", "");
        }
        Ok(false) => findings.add(
            "secret",
            Level::Bad,
            format!("{id} does not exist, or is being deleted"),
            why,
            "deployer init creates it.",
        ),
        Err(error) => findings.failed("secret", why, error.into()),
    }
}

pub(super) async fn operators_lock<P: Ports>(context: &DeployContext<'_, P>, findings: &mut Findings) {
    match lock::holder(&context.ports, &context.settings.lock_parameter()).await {
        Ok(None) => findings.add("lock", Level::Ok, "free", "", ""),
        Ok(Some(holder)) => {
            findings.add(
                "lock",
                Level::Note,
                holder.shown(),
                "Nothing can be changed while another run holds the lock.",
                "Wait, or run deployer unlock if that run has died.",
            );
        }
        Err(failure) => findings.failed("lock", "Two operators must not change things at once.", failure),
    }
}

/// Checks that the stack's own SSM document names this version's host program.
pub(super) async fn program<P: Ports>(context: &DeployContext<'_, P>, findings: &mut Findings) {
    let why = "The document runs only the programs that it names: it would refuse every command that needs the host.";
    let name = &context.settings.document;
    match ssm_document::program_status(context).await {
        ProgramStatus::Any => {}
        ProgramStatus::Named(count) => {
            findings.add("document", Level::Ok, format!("{name} names this program, and {} others", count - 1), "", "");
        }
        ProgramStatus::Missing(named) => {
            let found = format!("{name} names {} programs, and not this deployer's", named.len());
            findings.add("document", Level::Bad, found, why, ssm_document::update_command(context, &named).await);
        }
        ProgramStatus::Unread(error) => findings.add(
            "document",
            Level::Note,
            format!("{name} could not be read: {error}"),
            "Only a command to the host shows whether it names this program.",
            "Give your user or role the right to ssm:GetDocument on it (deployer policy prints it).",
        ),
    }
}

pub(super) fn machine<P>(context: &DeployContext<'_, P>, instance: &Instance, findings: &mut Findings) {
    let shown = format!("{} ({}) in {}, {}", instance.id, instance.kind, instance.zone, instance.state);
    match instance.state {
        InstanceState::Terminated | InstanceState::ShuttingDown => {
            findings.add(
                "instance",
                Level::Bad,
                shown,
                "It is deleted permanently.",
                "Make a new one with config/cloudformation.yaml.",
            );
        }
        _ => findings.add("instance", Level::Ok, shown, "", ""),
    }
    let family = instance.kind.split('.').next().unwrap_or_default();
    if context.settings.gpu
        && !matches!(family, "g5" | "g6" | "gr6" | "g6e" | "g7e" | "p4d" | "p4de" | "p5" | "p5e" | "p5en")
    {
        findings.add(
            "gpu type",
            Level::Bad,
            format!("{} has no GPU that this stack is for", instance.kind),
            "The model needs one with 24 GB.",
            "Use a g6.2xlarge: change the type while the box is stopped, or make a new one.",
        );
    }
    match &instance.profile {
        Some(profile) => findings.add("role", Level::Ok, profile.clone(), "", ""),
        None => findings.add(
            "role",
            Level::Bad,
            "the instance has no role",
            "Without a role the instance cannot use SSM, the registry, the secret or the idle stop.",
            "Attach the instance profile of config/cloudformation.yaml (deployer policy prints what it allows).",
        ),
    }
    if instance.elastic {
        findings.add("address", Level::Ok, "an Elastic IP: the same after every start", "", "");
    } else {
        findings.add(
            "address",
            Level::Note,
            "no Elastic IP",
            "The box gets another address at every start, and you must set it in the Vercel route.",
            "Set ElasticAddress=yes in the stack, or run deployer url after each up.",
        );
    }
}

/// Checks the protection against termination. Skips a terminated box, which [`machine`] reports.
pub(super) async fn termination<P: Ports>(
    context: &DeployContext<'_, P>,
    instance: &Instance,
    findings: &mut Findings,
) {
    if matches!(instance.state, InstanceState::Terminated | InstanceState::ShuttingDown) {
        return;
    }
    match context.ports.termination_protected(&instance.id).await {
        Ok(true) => findings.add("termination", Level::Ok, "EC2 refuses to terminate the instance", "", ""),
        Ok(false) => findings.add(
            "termination",
            Level::Note,
            "nothing keeps the instance from being terminated",
            "One wrong command would delete the box and its disk permanently, with the releases and the model on it.",
            format!(
                "aws ec2 modify-instance-attribute --region {} --disable-api-termination --instance-id {}",
                context.settings.region, instance.id
            ),
        ),
        Err(error) => findings.add(
            "termination",
            Level::Note,
            format!("could not be read: {error}"),
            "It is not known whether one wrong command would delete the box and its disk permanently.",
            "Give your user or role the right to ec2:DescribeInstanceAttribute on it (deployer policy prints it).",
        ),
    }
}

/// Returns the sources for which the rules open a TCP port; empty if the port is closed.
pub(super) fn sources_allowed(rules: &[Ingress], port: u16) -> Vec<String> {
    let covers = |rule: &&Ingress| {
        matches!(rule.protocol.as_str(), "tcp" | "6" | "-1")
            && rule.from.is_none_or(|from| from <= i32::from(port))
            && rule.to.is_none_or(|to| i32::from(port) <= to)
    };
    rules.iter().filter(covers).map(|rule| rule.source.clone()).collect()
}

pub(super) async fn firewall<P: Ports>(context: &DeployContext<'_, P>, instance: &Instance, findings: &mut Findings) {
    // The port of a further box is checked for the gateway's box (boxes.rs).
    if matches!(context.settings.role, BoxRole::Model { .. }) {
        return;
    }
    let port = if context.settings.gateway.profile == "tls" { 443 } else { context.settings.gateway.port };
    let rules = match context.ports.ingress(&instance.groups).await {
        Ok(rules) => rules,
        Err(error) => return findings.failed("ports", "The service must be reached, and nothing else.", error.into()),
    };
    ports(&rules, port, findings);
}

fn ports(rules: &[Ingress], port: u16, findings: &mut Findings) {
    let from = sources_allowed(rules, port);
    if from.is_empty() {
        findings.add(
            "ports",
            Level::Bad,
            format!("no security group lets port {port} in"),
            "No client can reach the service.",
            format!("Add a rule for port {port}, or use the security group of config/cloudformation.yaml."),
        );
    } else if from.iter().all(|source| source.starts_with("pl-")) {
        findings.add(
            "ports",
            Level::Note,
            format!(
                "port {port} is open only to the prefix list {}; the deployer does not read the networks in that list",
                from.join(", ")
            ),
            "Only those networks can reach the service.",
            "Check whether your clients are among them: aws ec2 get-managed-prefix-list-entries --prefix-list-id ...",
        );
    } else {
        findings.add("ports", Level::Ok, format!("port {port} is open to {}", from.join(", ")), "", "");
    }
    for (port, what) in [(22, "SSH"), (8000, "the model server, which has no keys")] {
        if sources_allowed(rules, port).iter().any(|source| source == "0.0.0.0/0" || source == "::/0") {
            findings.add(
                "ports",
                Level::Note,
                format!("port {port} ({what}) is open to the world"),
                "The deployer needs no SSH, and the model server must not be reached.",
                format!("Remove the rule for port {port}."),
            );
        }
    }
}

pub(super) fn quota<P>(context: &DeployContext<'_, P>, instance: &Instance, findings: &mut Findings) {
    if instance.state == InstanceState::Stopped {
        findings.add(
            "quota",
            Level::Note,
            "not known before a start",
            "A start fails with VcpuLimitExceeded where the account's quota for G instances is too low.",
            format!(
                "Check: aws service-quotas get-service-quota --service-code ec2 --quota-code L-DB2E81BA --region {} \
                 --query Quota.Value. {}",
                context.settings.region,
                quota_hint()
            ),
        );
    } else {
        findings.add("quota", Level::Ok, "enough for this instance: it was started", "", "");
    }
}

pub(super) async fn status_checks<P: Ports>(
    context: &DeployContext<'_, P>,
    instance: &Instance,
    findings: &mut Findings,
) {
    match context.ports.checks(&instance.id).await {
        Ok(StatusChecks::Passed) => findings.add("status checks", Level::Ok, "passed", "", ""),
        Ok(StatusChecks::Initializing) => findings.add(
            "status checks",
            Level::Note,
            "not known yet",
            "They take some minutes after a start.",
            "Run this again.",
        ),
        Ok(StatusChecks::Impaired) => findings.add(
            "status checks",
            Level::Bad,
            "impaired",
            "The hardware or the system does not answer.",
            "deployer down --now, then deployer up: the box moves to other hardware.",
        ),
        Err(error) => findings.failed("status checks", "They say whether the hardware answers.", error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Findings, Ingress, ports};

    /// Checks the levels of the findings about port 8080 with one rule.
    fn check(protocol: &str, from: Option<i32>, to: Option<i32>, source: &str, expected: &[&str]) {
        let rule = Ingress { from, to, protocol: protocol.to_owned(), source: source.to_owned() };
        let mut findings = Findings::default();
        ports(&[rule], 8080, &mut findings);
        let found = serde_json::to_value(&findings.0).unwrap();
        let levels: Vec<&str> = found.as_array().unwrap().iter().map(|one| one["level"].as_str().unwrap()).collect();
        assert_eq!(levels, expected, "{protocol} {from:?} {source}: {found}");
    }

    #[test]
    fn rules_open_the_port_or_do_not() {
        let one = Some(8080);
        check("tcp", one, one, "203.0.113.7/32", &["ok"]);
        check("6", Some(8001), Some(9000), "0.0.0.0/0", &["ok"]);
        // This rule opens every port, and so also SSH and the model server's port.
        check("-1", None, None, "0.0.0.0/0", &["ok", "note", "note"]);
        check("tcp", Some(443), Some(443), "0.0.0.0/0", &["bad"]);
        check("udp", one, one, "0.0.0.0/0", &["bad"]);
        check("icmp", Some(-1), Some(-1), "0.0.0.0/0", &["bad"]);
        check("tcp", one, one, "pl-0123456789abcdef0", &["note"]);
    }
}
