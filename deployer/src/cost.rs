//! Computes the cost of a box from the prices in the configuration. Pure: an operator looks the prices up and records
//! their date and source. The deployer never fetches prices and never reads a bill.

use serde::Serialize;

use crate::{
    cloud::{Instance, InstanceState},
    config::file::Prices,
};

/// The number of hours that AWS uses for a month.
const HOURS_A_MONTH: f64 = 730.0;

/// The cost of an instance, in US dollars.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// The instance's state: `running`, `stopped`...
    pub state: String,
    /// The instance's type. The prices apply to the type that their source names, which may be another one.
    pub instance_type: String,
    /// Where and when the operator read the prices.
    pub prices: String,
    /// The rate while the instance runs.
    pub running: CostRate,
    /// The rate while the instance is stopped: the disk, and the Elastic IP if it has one.
    pub at_rest: CostRate,
    /// The cost since the last start; `None` if the instance does not run.
    pub so_far: Option<CostSoFar>,
    /// Whether the instance has an Elastic IP, which it keeps when it is stopped.
    pub elastic_address: bool,
}

/// A cost for each unit of time, in US dollars.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CostRate {
    /// For an hour.
    pub usd_per_hour: f64,
    /// For a month of 730 hours.
    pub usd_per_month: f64,
}

/// The cost of the box since its last start.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CostSoFar {
    /// The time since the start, in seconds.
    pub seconds: u64,
    /// The cost of that time, in US dollars.
    pub usd: f64,
}

impl CostRate {
    fn hourly(usd: f64) -> Self {
        Self { usd_per_hour: round(usd), usd_per_month: round(usd * HOURS_A_MONTH) }
    }
}

/// Returns the cost of one hour of a running box, in US dollars: instance, disk and address.
#[must_use]
pub fn running_hour(prices: &Prices) -> f64 {
    prices.instance_usd_per_hour + prices.address_usd_per_hour + disk_hour(prices)
}

fn disk_hour(prices: &Prices) -> f64 {
    f64::from(prices.disk_gib) * prices.disk_usd_per_gib_month / HOURS_A_MONTH
}

/// Rounds to a hundredth of a cent. The prices are no more precise.
fn round(usd: f64) -> f64 {
    (usd * 10_000.0).round() / 10_000.0
}

impl Cost {
    /// Returns the cost of an instance. `now` is in seconds since 1970.
    #[must_use]
    pub fn of(instance: &Instance, prices: &Prices, now: u64) -> Self {
        let running = running_hour(prices);
        let at_rest = disk_hour(prices) + if instance.elastic { prices.address_usd_per_hour } else { 0.0 };
        let launched = instance.launched.and_then(|launched| u64::try_from(launched).ok());
        // A box that is starting counts as running; a box that is stopping does not.
        let runs = matches!(instance.state, InstanceState::Running | InstanceState::Pending);
        let so_far = launched.filter(|_| runs).map(|launched| {
            let seconds = now.saturating_sub(launched);
            #[expect(clippy::cast_precision_loss, reason = "the seconds of a few years are far below 2^52")]
            let hours = seconds as f64 / 3600.0;
            CostSoFar { seconds, usd: round(hours * running) }
        });
        Self {
            state: instance.state.to_string(),
            instance_type: instance.kind.clone(),
            prices: prices.source.clone(),
            running: CostRate::hourly(running),
            at_rest: CostRate::hourly(at_rest),
            so_far,
            elastic_address: instance.elastic,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cost, CostRate, CostSoFar, round};
    use crate::{
        cloud::{Instance, InstanceState},
        config::file::Prices,
    };

    fn prices() -> Prices {
        Prices {
            source: "made up".to_owned(),
            instance_usd_per_hour: 1.0,
            disk_usd_per_gib_month: 0.073,
            disk_gib: 100,
            snapshot_usd_per_gib_month: 0.05,
            address_usd_per_hour: 0.005,
        }
    }

    fn cost(state: InstanceState, elastic: bool, launched: Option<i64>, now: u64) -> Cost {
        let instance = Instance {
            id: "i-0123456789abcdef0".to_owned(),
            state,
            reason: None,
            kind: "g6.2xlarge".to_owned(),
            image: String::new(),
            zone: String::new(),
            vpc: String::new(),
            disk: String::new(),
            address: None,
            private_address: None,
            elastic,
            launched,
            profile: None,
            groups: Vec::new(),
        };
        Cost::of(&instance, &prices(), now)
    }

    #[test]
    fn an_hour_costs_the_instance_its_disk_and_its_address() {
        let cost = cost(InstanceState::Running, false, Some(1000), 1000 + 2 * 3600);
        assert_eq!((cost.running.usd_per_hour, cost.running.usd_per_month), (1.015, 740.95));
        assert_eq!(cost.so_far, Some(CostSoFar { seconds: 7200, usd: 2.03 }));
    }

    #[test]
    fn a_stopped_box_costs_its_disk_and_its_elastic_address() {
        for (elastic, month) in [(false, 7.3), (true, 10.95)] {
            let cost = cost(InstanceState::Stopped, elastic, Some(1000), 1_000_000);
            assert_eq!(
                cost.at_rest,
                CostRate { usd_per_hour: round(month / 730.0), usd_per_month: month },
                "{elastic}"
            );
            // EC2 still reports the last start of a stopped instance.
            assert_eq!(cost.so_far, None);
        }
    }

    #[test]
    fn a_clock_behind_the_start_gives_zero() {
        let cost = cost(InstanceState::Running, false, Some(2000), 1000);
        assert_eq!(cost.so_far, Some(CostSoFar { seconds: 0, usd: 0.0 }));
    }
}
