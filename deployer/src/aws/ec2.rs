//! Calls to EC2: the instance, its status checks, its disk and its firewall rules.

use aws_sdk_ec2::{
    Client,
    types::{AttributeBooleanValue, Filter, InstanceAttributeName, InstanceStateName, LocationType, SummaryStatus},
};

use super::error::cloud_error;
use crate::cloud::{CloudError, CloudErrorKind, Ingress, Instance, InstanceState, StatusChecks};

pub(super) async fn instance(client: &Client, id: &str) -> Result<Instance, CloudError> {
    let operation = "DescribeInstances";
    let found =
        client.describe_instances().instance_ids(id).send().await.map_err(|error| cloud_error(operation, &error))?;
    let found = found.reservations().iter().flat_map(aws_sdk_ec2::types::Reservation::instances).next().cloned();
    let Some(found) = found else {
        return Err(CloudError {
            kind: CloudErrorKind::NotFound,
            operation,
            code: "InvalidInstanceID.NotFound".to_owned(),
            message: "no such instance in this region".to_owned(),
        });
    };
    // AWS names the owner of an address: the account for an Elastic IP, "amazon" for an address of its pool.
    let elastic = found
        .network_interfaces()
        .iter()
        .filter_map(|interface| interface.association()?.ip_owner_id())
        .any(|owner| owner != "amazon");
    Ok(Instance {
        id: id.to_owned(),
        state: state(found.state().and_then(|state| state.name())),
        reason: found
            .state_reason()
            .map(|reason| format!("{}: {}", reason.code().unwrap_or_default(), reason.message().unwrap_or_default())),
        kind: found.instance_type().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        image: found.image_id().unwrap_or_default().to_owned(),
        vpc: found.vpc_id().unwrap_or_default().to_owned(),
        disk: root_disk(&found),
        zone: found.placement().and_then(|place| place.availability_zone()).unwrap_or_default().to_owned(),
        address: found.public_ip_address().filter(|address| !address.is_empty()).map(str::to_owned),
        private_address: found.private_ip_address().filter(|address| !address.is_empty()).map(str::to_owned),
        elastic,
        launched: found.launch_time().map(aws_sdk_ec2::primitives::DateTime::secs),
        profile: found.iam_instance_profile().and_then(|profile| profile.arn()).map(str::to_owned),
        groups: found.security_groups().iter().filter_map(|group| group.group_id()).map(str::to_owned).collect(),
    })
}

fn root_disk(instance: &aws_sdk_ec2::types::Instance) -> String {
    let root = instance.root_device_name().unwrap_or_default();
    let disks = instance.block_device_mappings();
    let disk = disks.iter().find(|disk| disk.device_name() == Some(root)).and_then(|disk| disk.ebs()?.volume_id());
    disk.unwrap_or_default().to_owned()
}

fn state(name: Option<&InstanceStateName>) -> InstanceState {
    match name {
        Some(InstanceStateName::Pending) => InstanceState::Pending,
        Some(InstanceStateName::Running) => InstanceState::Running,
        Some(InstanceStateName::Stopping) => InstanceState::Stopping,
        Some(InstanceStateName::Stopped) => InstanceState::Stopped,
        Some(InstanceStateName::ShuttingDown) => InstanceState::ShuttingDown,
        Some(InstanceStateName::Terminated) => InstanceState::Terminated,
        other => InstanceState::Unknown(other.map_or("unknown", InstanceStateName::as_str).to_owned()),
    }
}

pub(super) async fn checks(client: &Client, id: &str) -> Result<StatusChecks, CloudError> {
    let found = client
        .describe_instance_status()
        .instance_ids(id)
        .send()
        .await
        .map_err(|error| cloud_error("DescribeInstanceStatus", &error))?;
    let Some(status) = found.instance_statuses().first() else { return Ok(StatusChecks::Initializing) };
    let both = [status.instance_status(), status.system_status()];
    let word = |wanted: SummaryStatus| both.iter().flatten().filter(|one| one.status() == Some(&wanted)).count();
    Ok(if word(SummaryStatus::Impaired) > 0 {
        StatusChecks::Impaired
    } else if word(SummaryStatus::Ok) == 2 {
        StatusChecks::Passed
    } else {
        StatusChecks::Initializing
    })
}

pub(super) async fn start(client: &Client, id: &str) -> Result<(), CloudError> {
    client.start_instances().instance_ids(id).send().await.map_err(|error| cloud_error("StartInstances", &error))?;
    Ok(())
}

pub(super) async fn stop(client: &Client, id: &str) -> Result<(), CloudError> {
    client.stop_instances().instance_ids(id).send().await.map_err(|error| cloud_error("StopInstances", &error))?;
    Ok(())
}

pub(super) async fn zones_with(client: &Client, kind: &str) -> Result<Vec<String>, CloudError> {
    let found = client
        .describe_instance_type_offerings()
        .location_type(LocationType::AvailabilityZone)
        .filters(Filter::builder().name("instance-type").values(kind).build())
        .send()
        .await
        .map_err(|error| cloud_error("DescribeInstanceTypeOfferings", &error))?;
    let zones = found.instance_type_offerings().iter().filter_map(|offering| offering.location());
    let mut zones: Vec<String> = zones.map(str::to_owned).collect();
    zones.sort();
    Ok(zones)
}

pub(super) async fn disk_gib(client: &Client, volume: &str) -> Result<u32, CloudError> {
    let operation = "DescribeVolumes";
    let found =
        client.describe_volumes().volume_ids(volume).send().await.map_err(|error| cloud_error(operation, &error))?;
    let gib = found.volumes().first().and_then(|volume| u32::try_from(volume.size()?).ok());
    gib.ok_or_else(|| CloudError {
        kind: CloudErrorKind::NotFound,
        operation,
        code: "InvalidVolume.NotFound".to_owned(),
        message: "no such disk in this region".to_owned(),
    })
}

pub(super) async fn termination_protected(client: &Client, id: &str) -> Result<bool, CloudError> {
    let found = client
        .describe_instance_attribute()
        .instance_id(id)
        .attribute(InstanceAttributeName::DisableApiTermination)
        .send()
        .await
        .map_err(|error| cloud_error("DescribeInstanceAttribute", &error))?;
    Ok(found.disable_api_termination().and_then(AttributeBooleanValue::value).unwrap_or(false))
}

pub(super) async fn ingress(client: &Client, groups: &[String]) -> Result<Vec<Ingress>, CloudError> {
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let found = client
        .describe_security_groups()
        .set_group_ids(Some(groups.to_vec()))
        .send()
        .await
        .map_err(|error| cloud_error("DescribeSecurityGroups", &error))?;
    let rules = found.security_groups().iter().flat_map(aws_sdk_ec2::types::SecurityGroup::ip_permissions);
    Ok(rules
        .flat_map(|rule| {
            let networks = rule.ip_ranges().iter().filter_map(|range| range.cidr_ip());
            let networks = networks.chain(rule.ipv6_ranges().iter().filter_map(|range| range.cidr_ipv6()));
            let groups = rule.user_id_group_pairs().iter().filter_map(|group| group.group_id());
            let lists = rule.prefix_list_ids().iter().filter_map(|list| list.prefix_list_id());
            networks
                .chain(groups)
                .chain(lists)
                .map(|source| Ingress {
                    from: rule.from_port(),
                    to: rule.to_port(),
                    protocol: rule.ip_protocol().unwrap_or_default().to_owned(),
                    source: source.to_owned(),
                })
                .collect::<Vec<_>>()
        })
        .collect())
}
