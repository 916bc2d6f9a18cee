//! A deploy from an empty host, again, and with one thing changed.

use deployer::script::Outcome;

use crate::support::{
    host::Host,
    wanted::{deploy, gateway, vllm},
};

#[test]
fn a_first_deploy_serves() {
    let host = Host::new();
    host.push(&[&gateway(1), &vllm(1)]);
    let ran = host.run(&deploy(1, 1));
    assert_eq!(ran.report().outcome, Outcome::Done, "{ran:?}");
}
