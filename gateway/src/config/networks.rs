//! Distinguishes public hosts from hosts in private networks.

use std::net::IpAddr;

use url::{Host, Url};

/// Endings of names that public resolvers do not know.
const PRIVATE_ENDS: [&str; 9] =
    ["local", "localhost", "internal", "intranet", "lan", "home.arpa", "corp", "svc", "private"];

/// Returns whether others can read requests to a URL on their way: plain HTTP to an address, or to a name with a dot,
/// of the public internet. A name without a dot belongs to Compose, a hosts file or the local network.
pub(super) fn is_readable_on_the_way(url: &Url) -> bool {
    url.scheme() == "http" && url.host().is_some_and(|host| is_public(&host))
}

fn is_public(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            let private = |end: &&str| name.strip_suffix(*end).is_some_and(|rest| rest.ends_with('.'));
            name.contains('.') && !PRIVATE_ENDS.iter().any(private)
        }
        Host::Ipv4(address) => !is_private(IpAddr::V4(*address)),
        Host::Ipv6(address) => !is_private(address.to_canonical()),
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            // Customers of one provider share 100.64.0.0/10, and overlay networks use it too.
            let [first, second, ..] = address.octets();
            let shared = first == 100 && (64..128).contains(&second);
            address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_unspecified()
                || shared
        }
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_unspecified()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_to_public_hosts_is_readable() {
        for (url, expected) in [
            ("http://vllm:8000", false),
            ("http://localhost:8000", false),
            ("http://127.0.0.1:8000", false),
            ("http://[::1]:8000", false),
            ("http://10.0.0.7", false),
            ("http://172.31.255.1", false),
            ("http://192.168.1.2", false),
            ("http://169.254.1.1", false),
            ("http://100.100.1.1", false),
            ("http://[fd12::1]", false),
            ("http://[fe80::1]", false),
            ("http://[::ffff:10.0.0.1]", false),
            ("http://ip-10-0-0-1.eu-central-1.compute.internal", false),
            ("http://gpu.lan.", false),
            ("http://vllm.models.svc", false),
            ("http://vllm.models.svc.cluster.local", false),
            ("https://gpu.example.org", false),
            ("http://gpu.example.org", true),
            ("http://gpu.example.org.", true),
            ("http://notlocal.example.local.org", true),
            ("http://mylan.org", true),
            ("http://203.0.113.9:8000", true),
            ("http://172.32.0.1", true),
            ("http://100.128.0.1", true),
            ("http://[2001:db8::1]", true),
            ("http://[::ffff:203.0.113.9]", true),
        ] {
            assert_eq!(is_readable_on_the_way(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
