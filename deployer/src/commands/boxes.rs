//! Several boxes: the gateway's, and the further ones of `[[box.models]]`, whose model servers read for it. Each box
//! has releases of its own and is changed by the same action as a single box; `up_boxes` and `down_boxes` decide in
//! which order.

use super::Command;
use crate::failure::RUN_AGAIN;
use crate::{
    apply::with_retries,
    aws::Aws,
    cloud::{Cloud as _, CloudErrorKind, Instance, InstanceState},
    config::{BoxRole, Settings},
    context::DeployContext,
    failure::Failure,
    script::facts::Status,
};

/// The contexts of all boxes.
pub(super) struct Boxes<'a, P> {
    /// The box of the gateway.
    pub(super) gateway: DeployContext<'a, P>,
    /// The further boxes, in the order of the configuration; none where there is one box.
    pub(super) further: Vec<DeployContext<'a, P>>,
}

impl<'a> Boxes<'a, Aws> {
    /// Returns all boxes with their private addresses. Refuses a further box that no longer exists, or that the gateway
    /// could not reach.
    pub(super) async fn all(context: DeployContext<'a, Aws>) -> Result<Self, Failure> {
        let ids = context.settings.model_boxes.clone();
        if ids.is_empty() {
            return Ok(Self::one(context));
        }
        let network = describe(&context, &context.settings.instance_id).await?.vpc;
        let mut found = Vec::new();
        for id in &ids {
            let address = private_address(&describe(&context, id).await?, &network)?;
            found.push((id.clone(), address));
        }
        Ok(Self::with(context, found))
    }

    /// Returns one box, as if there were no others: for `--box`.
    pub(super) const fn one(context: DeployContext<'a, Aws>) -> Self {
        Self { gateway: context, further: Vec::new() }
    }

    /// Returns all boxes, also those whose state cannot be read: for commands that show or stop them.
    pub(super) async fn known(context: DeployContext<'a, Aws>) -> Self {
        let mut found = Vec::new();
        for id in &context.settings.model_boxes {
            let address = describe(&context, id).await.ok().and_then(|instance| instance.private_address);
            found.push((id.clone(), address.unwrap_or_default()));
        }
        Self::with(context, found)
    }

    fn with(context: DeployContext<'a, Aws>, found: Vec<(String, String)>) -> Self {
        let further = found.iter().map(|(id, address)| further(&context, id, address)).collect();
        let settings = context.settings.with_others(found.into_iter().map(|(_, address)| address).collect());
        Self { gateway: DeployContext { settings, ..context }, further }
    }
}

fn further<'a>(context: &DeployContext<'a, Aws>, id: &str, address: &str) -> DeployContext<'a, Aws> {
    let settings = context.settings.of_further_box(id, address);
    DeployContext {
        config_file: context.config_file.clone(),
        ports: context.ports.for_host(&settings),
        settings,
        console: context.console,
        interrupt: context.interrupt,
    }
}

async fn describe(context: &DeployContext<'_, Aws>, id: &str) -> Result<Instance, Failure> {
    let found = with_retries(context.console, context.interrupt, async || context.ports.instance(id).await).await;
    let region = &context.settings.region;
    match found {
        Ok(Some(instance)) => Ok(instance),
        Ok(None) => {
            Err(Failure::interrupted("interrupted while the boxes were looked up; nothing was changed", RUN_AGAIN))
        }
        Err(error) if error.kind == CloudErrorKind::NotFound && id != context.settings.instance_id => {
            Err(Failure::usage(
                format!("box.models: there is no instance {id} in {region}; nothing was changed"),
                "All boxes are in the region of the configuration. Correct box.models in config/deployment.toml.",
            ))
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns the address under which the gateway's box reaches a further box.
fn private_address(instance: &Instance, network: &str) -> Result<String, Failure> {
    let refuse = |why: &str| {
        Err(Failure::usage(
            format!("box.models: {} {why}; nothing was changed", instance.id),
            "Correct box.models in config/deployment.toml.",
        ))
    };
    if matches!(instance.state, InstanceState::Terminated | InstanceState::ShuttingDown) {
        return refuse("is terminated");
    }
    if instance.vpc != network {
        return refuse("is in another network than the gateway's box, which could not reach its private address");
    }
    match &instance.private_address {
        Some(address) => Ok(address.clone()),
        None => refuse("has no private address"),
    }
}

/// Refuses `--box` for a command that works on the deployment as a whole.
pub(super) fn check_flag(command: &Command) -> Result<(), Failure> {
    let one_box = matches!(
        command,
        Command::Doctor
            | Command::Status(_)
            | Command::Logs(_)
            | Command::Exec(_)
            | Command::Restart(_)
            | Command::Releases
            | Command::Rollback(_)
            | Command::Unlock(_)
            | Command::Autostop(_)
            | Command::Prune(_)
            | Command::PortForward(_)
            | Command::Cost
    );
    if one_box {
        return Ok(());
    }
    Err(Failure::usage(
        "this command does not accept --box: it is for all boxes, for the gateway, or for no box; nothing was changed",
        "--box is for doctor, status, logs, exec, restart, releases, rollback, unlock, autostop, prune, port-forward and cost.",
    ))
}

/// Returns the context of the box that `--box` names.
pub(super) async fn choose<'a>(context: DeployContext<'a, Aws>, id: &str) -> Result<DeployContext<'a, Aws>, Failure> {
    let settings = of_box(&context.settings, id)?;
    if settings.instance_id == context.settings.instance_id {
        // Without the others: the command is only for this box.
        return Ok(DeployContext { settings, ..context });
    }
    let address = describe(&context, id).await?.private_address.unwrap_or_default();
    Ok(further(&context, id, &address))
}

/// Returns the settings of the box that `--box` names, without its private address.
pub(super) fn of_box(settings: &Settings, id: &str) -> Result<Settings, Failure> {
    if id == settings.instance_id {
        return Ok(settings.clone());
    }
    if settings.model_boxes.iter().any(|known| known == id) {
        return Ok(settings.of_further_box(id, ""));
    }
    let known = std::iter::once(&settings.instance_id).chain(&settings.model_boxes).map(String::as_str);
    Err(Failure::usage(
        format!("--box {id}: the configuration has no such box; nothing was changed"),
        format!("It has {}.", known.collect::<Vec<_>>().join(", ")),
    ))
}

/// Returns the line of a plan that says what a box is, where there are several.
pub(super) fn role_line(settings: &Settings) -> Option<String> {
    match &settings.role {
        BoxRole::Gateway { others } if others.is_empty() => None,
        BoxRole::Gateway { others } => Some(format!(
            "  models   the gateway asks its own model server and those of {} further boxes: {}",
            others.len(),
            others.join(", ")
        )),
        BoxRole::Model { address } => Some(format!(
            "  role     a model server for the gateway's box, on {address}:8000; a gateway on its loopback checks it"
        )),
    }
}

/// How many model servers are ready, as the gateway reports.
pub(super) struct ModelServers {
    ready: usize,
    all: usize,
}

impl ModelServers {
    pub(super) const fn all_ready(&self) -> bool {
        self.ready >= self.all
    }

    pub(super) fn shown(&self) -> String {
        format!("{} of {} model servers are ready", self.ready, self.all)
    }
}

/// Returns what the gateway reports about its model servers; `None` where there is one box.
pub(super) fn model_servers(settings: &Settings, status: &Status) -> Option<ModelServers> {
    let BoxRole::Gateway { others } = &settings.role else { return None };
    if others.is_empty() {
        return None;
    }
    let replicas = crate::apply::observe::gateway_value(status, "replicas");
    // The rules answer: no model server is asked.
    replicas.as_array()?.first()?;
    let ready = replicas.as_array().into_iter().flatten().filter(|replica| replica["state"] == "ready").count();
    Some(ModelServers { ready, all: others.len() + 1 })
}
