//! Tells the operator how to bring the box up in another zone, from an image of its disk, when its zone has no
//! capacity. The deployer only prints the commands: the move creates another instance, which costs money, and keeps the
//! old instance.

use serde::Serialize;

use crate::{
    cloud::Instance,
    console::money,
    context::{DeployContext, Ports},
};

/// The parameters of config/cloudformation.yaml that the move keeps.
const PARAMETERS: [&str; 9] = [
    "VpcId",
    "AllowedCidr",
    "InstanceType",
    "GatewayPort",
    "Https",
    "ElasticAddress",
    "TokenSecretName",
    "ProgramSha256",
    "GitHubRepository",
];
/// Stack policy for this one update: the stack's own policy does not allow it to replace the instance.
const POLICY: &str = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"Update:*","Resource":"*"}]}"#;

/// How to move the box to another zone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct ZoneMove {
    /// The zone of the box.
    from_zone: String,
    /// Other zones of the region that offer the instance's type; empty if there are none or they are not known.
    zones: Vec<String>,
    /// The id of the box's disk.
    volume: String,
    /// The disk's size in GiB.
    gib: u32,
    /// The most that the image of the disk can cost a month.
    image_usd_per_month: f64,
    /// To run once each, in this order. The operator fills in `<...>`.
    commands: Vec<String>,
}

/// Prints how to move the box and adds it to the JSON document.
pub(super) async fn print_move<P: Ports>(context: &DeployContext<'_, P>, instance: &Instance) {
    // A look-up that fails must not hide why the box does not start.
    let zones = context.ports.zones_with(&instance.kind).await;
    let gib = context.ports.disk_gib(&instance.disk).await;
    for error in zones.as_ref().err().into_iter().chain(gib.as_ref().err()) {
        context.console.warn(&format!("for another zone, some values could not be looked up: {error}"));
    }
    let zones: Vec<String> = zones.unwrap_or_default().into_iter().filter(|zone| *zone != instance.zone).collect();
    let gib = gib.unwrap_or(context.settings.prices.disk_gib);
    let zone_move = ZoneMove {
        commands: commands(context, instance, &zones, gib),
        from_zone: instance.zone.clone(),
        zones,
        volume: instance.disk.clone(),
        gib,
        image_usd_per_month: f64::from(gib) * context.settings.prices.snapshot_usd_per_gib_month,
    };
    for line in zone_move.lines(context, instance) {
        context.console.say(&line);
    }
    context.console.result(&serde_json::json!({"other_zone": zone_move}));
}

impl ZoneMove {
    fn lines<P>(&self, context: &DeployContext<'_, P>, instance: &Instance) -> Vec<String> {
        let Self { from_zone, zones, volume, gib, .. } = self;
        let where_to = if zones.is_empty() {
            "it is not known which other zones offer the type".to_owned()
        } else {
            format!("{} offer {}; only a start shows which of them has capacity", zones.join(", "), instance.kind)
        };
        let address = if instance.elastic { "the Elastic IP moves with it" } else { "it gets another address" };
        let old = f64::from(*gib) * context.settings.prices.disk_usd_per_gib_month;
        let mut lines = vec![
            "Another zone, by hand, with the rights of the user who created the stack (the deployer does none of this):"
                .to_owned(),
            format!("  zones    {where_to}; the box is in {from_zone}"),
            format!(
                "  cost     an image of {volume} ({gib} GiB): at most {} a month; the old disk keeps costing {} a month until it is deleted",
                money(self.image_usd_per_month),
                money(old)
            ),
            format!("  address  {address}; the releases, models and keys on the disk move with it"),
        ];
        lines.extend(self.commands.iter().enumerate().map(|(index, command)| format!("  {}. {command}", index + 1)));
        lines
    }
}

fn commands<P>(context: &DeployContext<'_, P>, instance: &Instance, zones: &[String], gib: u32) -> Vec<String> {
    let settings = &context.settings;
    let (region, stack) = (format!("--region {}", settings.region), format!("--stack-name {}", settings.name));
    let or_placeholder =
        |text: &str, placeholder: &str| if text.is_empty() { placeholder.to_owned() } else { text.to_owned() };
    let kept: Vec<String> =
        PARAMETERS.iter().map(|name| format!("ParameterKey={name},UsePreviousValue=true")).collect();
    let kept = kept.join(" ");
    let set = format!(
        "ParameterKey=SubnetId,ParameterValue=<subnet> ParameterKey=ImageId,ParameterValue=<image> \
         ParameterKey=DiskGiB,ParameterValue={gib}"
    );
    vec![
        format!(
            "aws ec2 create-image {region} --instance-id {} --name {}-{} --query ImageId --output text",
            instance.id, settings.name, instance.id
        ),
        format!("aws ec2 wait image-available {region} --image-ids <image>"),
        format!(
            "aws ec2 describe-subnets {region} --filters Name=vpc-id,Values={} Name=availability-zone,Values={} \
             --query 'Subnets[].[SubnetId,AvailabilityZone,MapPublicIpOnLaunch]' --output text",
            or_placeholder(&instance.vpc, "<vpc>"),
            or_placeholder(&zones.join(","), "<zone>")
        ),
        format!(
            "aws cloudformation update-stack {region} {stack} --use-previous-template --capabilities CAPABILITY_IAM \
             --stack-policy-during-update-body '{POLICY}' --parameters {set} {kept}"
        ),
        format!("aws cloudformation wait stack-update-complete {region} {stack}"),
        format!(
            "aws cloudformation describe-stacks {region} {stack} --query 'Stacks[0].Outputs' --output table: put InstanceId \
             where box.instance_id says, then deployer up, then deployer url"
        ),
        format!(
            "once it serves: aws ec2 modify-instance-attribute {region} --no-disable-api-termination --instance-id {id} && \
             aws ec2 terminate-instances {region} --instance-ids {id}, which deletes the old box and its disk permanently",
            id = instance.id
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::PARAMETERS;

    /// `update-stack` refuses a template with a parameter that the command does not name.
    #[test]
    fn every_parameter_of_the_template_is_kept_or_set() {
        let template =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/cloudformation.yaml")).unwrap();
        let part = template.split("\nParameters:\n").nth(1).unwrap().split("\nConditions:\n").next().unwrap();
        let name = |line: &str| {
            line.strip_prefix("  ")?.strip_suffix(':').filter(|name| !name.starts_with(' ')).map(str::to_owned)
        };
        let mut declared: Vec<String> = part.lines().filter_map(name).collect();
        let mut named: Vec<&str> = PARAMETERS.into_iter().chain(["SubnetId", "ImageId", "DiskGiB"]).collect();
        declared.sort();
        named.sort_unstable();
        assert_eq!(declared, named);
    }
}
