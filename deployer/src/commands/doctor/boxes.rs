//! Checks of the further boxes: whether each exists, and whether only the gateway's box reaches its model server.

use super::{
    account::sources_allowed,
    finding::{Findings, Level},
};
use crate::{
    cloud::{Ingress, Instance, InstanceState},
    config::BoxRole,
    context::{DeployContext, Ports},
};

/// The port of a model server on a further box.
const PORT: u16 = 8000;

pub(super) async fn further_boxes<P: Ports>(
    context: &DeployContext<'_, P>,
    gateway: &Instance,
    findings: &mut Findings,
) {
    // With --box only that box is checked.
    if matches!(context.settings.role, BoxRole::Model { .. }) {
        return;
    }
    for id in &context.settings.model_boxes {
        let why = "The gateway is given the address of every further box, and up stops at the first one that fails.";
        let instance = match context.ports.instance(id).await {
            Ok(instance) => instance,
            Err(error) => {
                findings.failed("further box", why, error.into());
                continue;
            }
        };
        there(&instance, gateway, why, findings);
        match context.ports.ingress(&instance.groups).await {
            Ok(rules) => port(id, &rules, &gateway.groups, findings),
            Err(error) => findings.failed("model port", "Only the gateway must reach it.", error.into()),
        }
    }
}

fn there(instance: &Instance, gateway: &Instance, why: &str, findings: &mut Findings) {
    let shown = format!("{} ({}) in {}, {}", instance.id, instance.kind, instance.zone, instance.state);
    let fix = "Correct box.models; all boxes are in one network of one region.";
    if matches!(instance.state, InstanceState::Terminated | InstanceState::ShuttingDown) {
        findings.add("further box", Level::Bad, shown, why, fix);
    } else if instance.vpc != gateway.vpc {
        findings.add(
            "further box",
            Level::Bad,
            format!("{shown}, in another network than the gateway's box"),
            why,
            fix,
        );
    } else {
        let fix = format!("deployer doctor --box {} checks its host.", instance.id);
        findings.add("further box", Level::Ok, shown, "", fix);
    }
}

/// Checks that the model server's port is open only to the gateway's security groups. A rule for a network is only
/// reported, because only the operator knows which machines are in it.
fn port(id: &str, rules: &[Ingress], groups_of_gateway: &[String], findings: &mut Findings) {
    let check = "model port";
    let sources = sources_allowed(rules, PORT);
    let others: Vec<&str> =
        sources.iter().filter(|source| !groups_of_gateway.contains(source)).map(String::as_str).collect();
    if sources.is_empty() {
        findings.add(
            check,
            Level::Bad,
            format!("no security group of {id} lets port {PORT} in"),
            "The gateway would not reach this model server, and would use only the others.",
            "aws ec2 authorize-security-group-ingress with the gateway's group as the source (config/README.md, several boxes).",
        );
    } else if others.is_empty() {
        findings.add(check, Level::Ok, format!("{id}: port {PORT} is open to the gateway's box"), "", "");
    } else {
        let to_the_world = others.iter().any(|source| matches!(*source, "0.0.0.0/0" | "::/0"));
        findings.add(
            check,
            if to_the_world { Level::Bad } else { Level::Note },
            format!("{id}: port {PORT} is open to {}", others.join(", ")),
            "Notes come through it unencrypted. It asks for a key, but only the gateway's box has to reach it.",
            "Allow only the security group of the gateway's box.",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{Findings, Ingress, port};

    #[test]
    fn the_port_is_for_the_gateway_s_box_alone() {
        let rule = |from: i32, source: &str| Ingress {
            from: Some(from),
            to: Some(from),
            protocol: "tcp".to_owned(),
            source: source.to_owned(),
        };
        for (rules, level) in [
            (vec![], "bad"),
            (vec![rule(443, "sg-gateway")], "bad"),
            (vec![rule(8000, "sg-gateway")], "ok"),
            (vec![rule(8000, "sg-gateway"), rule(8000, "0.0.0.0/0")], "bad"),
            (vec![rule(8000, "sg-other")], "note"),
        ] {
            let mut findings = Findings::default();
            port("i-1", &rules, &["sg-gateway".to_owned()], &mut findings);
            let found = serde_json::to_value(&findings.0).unwrap();
            assert_eq!(found[0]["level"], level, "{rules:?}: {found}");
        }
    }
}
