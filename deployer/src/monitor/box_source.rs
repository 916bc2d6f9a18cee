//! Asks EC2 and the host of the box, as `status` does, and passes on their answers. Changes nothing.

use std::{convert::Infallible, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval},
};

use super::{
    Update,
    snapshot::{BoxState, GpuState, HostState, ServiceState},
};
use crate::{
    apply::{boot, observe},
    cloud::{AgentState, Instance, InstanceState},
    console::since,
    context::{DeployContext, Ports},
    cost::Cost,
    failure::Failure,
    script::{HostReport, facts::Status},
};

/// Asks once and sends the instance, the gateway's address and the state of the host. `url_of` returns the address of
/// the gateway on an instance.
pub async fn ask<P: Ports>(
    context: &DeployContext<'_, P>,
    url_of: &impl Fn(&Instance) -> Option<String>,
    url: &watch::Sender<Option<String>>,
    updates: &mpsc::UnboundedSender<Update>,
) {
    let instance = boot::describe_instance(context).await;
    let instance = match instance {
        Ok(instance) => instance,
        Err(failure) => {
            let why = failure.what;
            // The tasks that wait for the address need not wait longer.
            url.send_modify(|_| {});
            let _ = updates.send(Update::Box(Err(why.clone())));
            let _ = updates.send(Update::Host(Err(why)));
            return;
        }
    };
    url.send_replace(url_of(&instance));
    let _ = updates.send(Update::Box(Ok(state(context, &instance))));
    let host = match host(context, &instance).await {
        Ok((report, status)) => Ok(host_state(&report, &status)),
        Err(failure) => Err(failure.what),
    };
    let _ = updates.send(Update::Host(host));
}

/// Asks again and again.
pub async fn follow<P: Ports>(
    context: &DeployContext<'_, P>,
    every: Duration,
    url_of: &impl Fn(&Instance) -> Option<String>,
    url: &watch::Sender<Option<String>>,
    updates: &mpsc::UnboundedSender<Update>,
) -> Infallible {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        ask(context, url_of, url, updates).await;
    }
}

fn state<P>(context: &DeployContext<'_, P>, instance: &Instance) -> BoxState {
    let cost = Cost::of(instance, &context.settings.prices, since(0));
    let rate = if cost.so_far.is_some() { &cost.running } else { &cost.at_rest };
    BoxState {
        id: instance.id.clone(),
        kind: instance.kind.clone(),
        state: instance.state.to_string(),
        running_seconds: cost.so_far.as_ref().map(|so_far| so_far.seconds),
        usd_per_hour: rate.usd_per_hour,
        cost_so_far_usd: cost.so_far.map(|so_far| so_far.usd),
    }
}

async fn host<P: Ports>(context: &DeployContext<'_, P>, instance: &Instance) -> Result<(HostReport, Status), Failure> {
    let not_asked = |what: String| Err(Failure::unchanged(what, "Run deployer doctor."));
    if instance.state != InstanceState::Running {
        return not_asked(format!("the box is {}", instance.state));
    }
    if context.ports.agent(&instance.id).await? != AgentState::Online {
        return not_asked("the box's SSM agent does not answer".to_owned());
    }
    observe::ask_status(context).await
}

fn host_state(report: &HostReport, status: &Status) -> HostState {
    let service = |container: &crate::script::facts::Container| ServiceState {
        name: container.service.clone(),
        state: container.state.clone(),
        health: container.health.clone(),
        restarts: container.restarts,
    };
    HostState {
        release: report.release,
        services: status.containers.iter().map(service).collect(),
        gpu: status.gpu.as_ref().map(|gpu| GpuState {
            name: gpu.name.clone(),
            memory_used_mib: gpu.memory_used_mib,
            memory_total_mib: gpu.memory_total_mib,
            utilization: gpu.utilization,
        }),
        disk_free: status.disk_free,
        disk_total: status.disk_total,
    }
}
