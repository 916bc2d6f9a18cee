//! `cost`: prints what the box costs, from the prices of the configuration.

use crate::{
    apply::boot,
    console::{duration, money, since},
    context::{DeployContext, Ports},
    cost::Cost,
    failure::Failure,
};

pub(super) async fn run<P: Ports>(context: &DeployContext<'_, P>) -> Result<(), Failure> {
    let instance = boot::describe_instance(context).await?;
    let cost = Cost::of(&instance, &context.settings.prices, since(0));
    context.console.result(&cost);
    for line in &lines(&cost) {
        context.console.data(line);
    }
    context.console.next(match cost.so_far {
        Some(_) => "deployer down stops the instance's part; deployer autostop on does so by itself when it is idle.",
        None => "deployer up starts it.",
    });
    Ok(())
}

fn lines(cost: &Cost) -> Vec<String> {
    let so_far = cost.so_far.as_ref().map_or_else(
        || format!("nothing: it is {}", cost.state),
        |so_far| format!("{} in {} since it was started", money(so_far.usd), duration(so_far.seconds)),
    );
    let kept = if cost.elastic_address { "disk and Elastic IP" } else { "disk" };
    vec![
        format!(
            "running  {} an hour, {} a month ({})",
            money(cost.running.usd_per_hour),
            money(cost.running.usd_per_month),
            cost.instance_type
        ),
        format!("so far   {so_far}"),
        format!("at rest  {} a month ({kept})", money(cost.at_rest.usd_per_month)),
        format!("prices   {}; without data transfer, requests and stored images", cost.prices),
    ]
}

#[cfg(test)]
mod tests {
    use super::lines;
    use crate::cost::{Cost, CostRate, CostSoFar};

    #[test]
    fn the_cost_is_printed() {
        let rate = |usd_per_hour, usd_per_month| CostRate { usd_per_hour, usd_per_month };
        let mut cost = Cost {
            state: "running".to_owned(),
            instance_type: "g6.2xlarge".to_owned(),
            prices: "us-east-1, 2026-11-21".to_owned(),
            running: rate(0.999, 729.3),
            at_rest: rate(0.0164, 12.0),
            so_far: Some(CostSoFar { seconds: 7500, usd: 2.08 }),
            elastic_address: false,
        };
        insta::assert_snapshot!(lines(&cost).join("\n"), @r"
        running  1.00 USD an hour, 729.30 USD a month (g6.2xlarge)
        so far   2.08 USD in 2 h 05 min since it was started
        at rest  12.00 USD a month (disk)
        prices   us-east-1, 2026-11-21; without data transfer, requests and stored images
        ");
        (cost.so_far, cost.elastic_address, cost.state) = (None, true, "stopped".to_owned());
        insta::assert_snapshot!(lines(&cost).join("\n"), @r"
        running  1.00 USD an hour, 729.30 USD a month (g6.2xlarge)
        so far   nothing: it is stopped
        at rest  12.00 USD a month (disk and Elastic IP)
        prices   us-east-1, 2026-11-21; without data transfer, requests and stored images
        ");
    }
}
