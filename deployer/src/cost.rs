//! What a box costs, from the prices of the configuration. Pure: prices are data that a person looked up, with a date
//! and a source; they are never fetched, and a bill is never read.

use serde::Serialize;

use crate::{
    cloud::{Instance, State},
    config::file::Prices,
};

/// As AWS counts.
const HOURS_A_MONTH: f64 = 730.0;

/// US dollars.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// `running`, `stopped`...
    pub state: String,
    /// The instance's type. The prices are for the type that their source names.
    pub instance_type: String,
    /// Where and when the prices were read.
    pub prices: String,
    /// While it runs.
    pub running: Rate,
    /// While it is stopped: the disk, and an Elastic IP where there is one.
    pub at_rest: Rate,
    /// Since it was started; `None`: it does not run.
    pub so_far: Option<CostSoFar>,
    /// The address stays over stops.
    pub elastic_address: bool,
}

/// What time costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// An hour.
    pub usd_per_hour: f64,
    /// A month of 730 hours.
    pub usd_per_month: f64,
}

/// This run of the box.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CostSoFar {
    /// How long.
    pub seconds: u64,
    /// What it came to.
    pub usd: f64,
}

impl Rate {
    fn hourly(usd: f64) -> Self {
        Self { usd_per_hour: round(usd), usd_per_month: round(usd * HOURS_A_MONTH) }
    }
}

/// An hour of a running box, all of it: instance, disk, address.
#[must_use]
pub fn running_hour(prices: &Prices) -> f64 {
    prices.instance_usd_per_hour + prices.address_usd_per_hour + disk_hour(prices)
}

fn disk_hour(prices: &Prices) -> f64 {
    f64::from(prices.disk_gib) * prices.disk_usd_per_gib_month / HOURS_A_MONTH
}

/// To a hundredth of a cent: no more is known.
fn round(usd: f64) -> f64 {
    (usd * 10_000.0).round() / 10_000.0
}

impl Cost {
    /// Of an instance, at a time in seconds since 1970.
    #[must_use]
    pub fn of(instance: &Instance, prices: &Prices, now: u64) -> Self {
        let running = running_hour(prices);
        let at_rest = disk_hour(prices) + if instance.elastic { prices.address_usd_per_hour } else { 0.0 };
        let launched = instance.launched.and_then(|launched| u64::try_from(launched).ok());
        // A box on its way down no longer counts, one on its way up does.
        let runs = matches!(instance.state, State::Running | State::Pending);
        let so_far = launched.filter(|_| runs).map(|launched| {
            let seconds = now.saturating_sub(launched);
            #[expect(clippy::cast_precision_loss, reason = "seconds of a few years")]
            let hours = seconds as f64 / 3600.0;
            CostSoFar { seconds, usd: round(hours * running) }
        });
        Self {
            state: instance.state.to_string(),
            instance_type: instance.kind.clone(),
            prices: prices.source.clone(),
            running: Rate::hourly(running),
            at_rest: Rate::hourly(at_rest),
            so_far,
            elastic_address: instance.elastic,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cost, CostSoFar, Rate, round};
    use crate::{
        cloud::{Instance, State},
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

    fn cost(state: State, elastic: bool, launched: Option<i64>, now: u64) -> Cost {
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
            elastic,
            launched,
            profile: None,
            groups: Vec::new(),
        };
        Cost::of(&instance, &prices(), now)
    }

    #[test]
    fn an_hour_is_the_instance_its_disk_and_its_address() {
        let cost = cost(State::Running, false, Some(1000), 1000 + 2 * 3600);
        assert_eq!((cost.running.usd_per_hour, cost.running.usd_per_month), (1.015, 740.95));
        assert_eq!(cost.so_far, Some(CostSoFar { seconds: 7200, usd: 2.03 }));
    }

    #[test]
    fn at_rest_the_disk_goes_on_and_an_elastic_address_too() {
        for (elastic, month) in [(false, 7.3), (true, 10.95)] {
            let cost = cost(State::Stopped, elastic, Some(1000), 1_000_000);
            assert_eq!(cost.at_rest, Rate { usd_per_hour: round(month / 730.0), usd_per_month: month }, "{elastic}");
            // A stopped instance still has the time of its last start.
            assert_eq!(cost.so_far, None);
        }
    }

    #[test]
    fn a_clock_that_is_behind_gives_nothing_and_no_panic() {
        let cost = cost(State::Running, false, Some(2000), 1000);
        assert_eq!(cost.so_far, Some(CostSoFar { seconds: 0, usd: 0.0 }));
    }
}
