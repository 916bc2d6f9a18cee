use crate::support::{host::Host, wanted::*};
#[test]
fn write_out() {
    let host = Host::new();
    std::fs::write("/tmp/hs/deploy.sh", deploy(1, 1).text()).unwrap();
    let _ = host;
}
