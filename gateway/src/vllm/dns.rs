//! Regularly looks up the host names of model servers, which may have several addresses.

use std::{collections::BTreeSet, fmt, future::Future, io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

/// Time between two lookups of a name.
const INTERVAL: Duration = Duration::from_secs(10);

/// The future of a lookup.
pub type Addresses<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Resolves host names to addresses.
pub trait Resolver: Send + Sync + fmt::Debug {
    /// Returns the addresses of a name, in any order.
    fn look_up<'a>(&'a self, host: &'a str, port: u16) -> Addresses<'a>;
}

/// The resolver, and how often it is used.
#[derive(Clone, Debug)]
pub struct ResolverSettings {
    /// The resolver.
    pub resolver: Arc<dyn Resolver>,
    /// Time between two lookups of a name.
    pub interval: Duration,
}

impl Default for ResolverSettings {
    fn default() -> Self {
        Self { resolver: Arc::new(SystemResolver), interval: INTERVAL }
    }
}

/// The resolver of the system.
#[derive(Debug)]
struct SystemResolver;

impl Resolver for SystemResolver {
    fn look_up<'a>(&'a self, host: &'a str, port: u16) -> Addresses<'a> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// Returns the replicas behind a name: one per address of the family, IPv4 or IPv6, that has more addresses.
///
/// A name with a single address is one replica without an address (`None`): the HTTP client then resolves the name for
/// each new connection.
pub(super) fn replica_addresses(addresses: &[SocketAddr]) -> Vec<Option<SocketAddr>> {
    let family = |ipv4: bool| -> BTreeSet<SocketAddr> {
        addresses.iter().copied().filter(|address| address.is_ipv4() == ipv4).collect()
    };
    // Only one family counts, because a replica that has an address of each is still one replica.
    let (v4, v6) = (family(true), family(false));
    let larger = if v6.len() > v4.len() { v6 } else { v4 };
    if larger.len() > 1 { larger.into_iter().map(Some).collect() } else { vec![None] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_of_the_larger_family_is_a_replica() {
        for (addresses, expected) in [
            ("", 1),
            ("10.0.0.1:1", 1),
            ("10.0.0.1:1 [::1]:1", 1),
            ("10.0.0.2:1 10.0.0.1:1 10.0.0.2:1", 2),
            ("10.0.0.1:1 [::1]:1 [::2]:1 [::3]:1", 3),
        ] {
            let parsed: Vec<SocketAddr> = addresses.split(' ').filter_map(|text| text.parse().ok()).collect();
            let replicas = replica_addresses(&parsed);
            assert_eq!(replicas.len(), expected, "{addresses}");
            assert_eq!(replicas.iter().any(Option::is_none), expected == 1, "{addresses}");
        }
    }
}
