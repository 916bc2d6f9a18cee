//! Names of model servers that stand for several addresses, looked up again and again.

use std::{collections::BTreeSet, fmt, future::Future, io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

/// Between two looks at a name.
const EVERY: Duration = Duration::from_secs(10);

/// Addresses on their way.
pub type Addresses<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Who knows the addresses of a name.
pub trait Resolver: Send + Sync + fmt::Debug {
    /// The addresses of a name, in any order.
    fn look_up<'a>(&'a self, host: &'a str, port: u16) -> Addresses<'a>;
}

/// Who is asked for addresses, and how often.
#[derive(Clone, Debug)]
pub struct ResolverSettings {
    /// Who knows.
    pub names: Arc<dyn Resolver>,
    /// How often he is asked.
    pub every: Duration,
}

impl Default for ResolverSettings {
    fn default() -> Self {
        Self { names: Arc::new(SystemResolver), every: EVERY }
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

/// The servers that a name's addresses are: one for each address of the family that has more. A single
/// address is left to the client, which asks for it at each new connection.
pub(super) fn servers(addresses: &[SocketAddr]) -> Vec<Option<SocketAddr>> {
    let family = |wanted: bool| -> BTreeSet<SocketAddr> {
        addresses.iter().copied().filter(|address| address.is_ipv4() == wanted).collect()
    };
    // A server with an address of each family is still one server.
    let (v4, v6) = (family(true), family(false));
    let more = if v6.len() > v4.len() { v6 } else { v4 };
    if more.len() > 1 { more.into_iter().map(Some).collect() } else { vec![None] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_servers() {
        for (addresses, expected) in [
            ("", 1),
            ("10.0.0.1:1", 1),
            ("10.0.0.1:1 [::1]:1", 1),
            ("10.0.0.2:1 10.0.0.1:1 10.0.0.2:1", 2),
            ("10.0.0.1:1 [::1]:1 [::2]:1 [::3]:1", 3),
        ] {
            let parsed: Vec<SocketAddr> = addresses.split(' ').filter_map(|text| text.parse().ok()).collect();
            let servers = servers(&parsed);
            assert_eq!(servers.len(), expected, "{addresses}");
            assert_eq!(servers.iter().any(Option::is_none), expected == 1, "{addresses}");
        }
    }
}
