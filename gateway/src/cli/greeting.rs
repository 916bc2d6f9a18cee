//! The text that a person at a terminal sees when the server has started: the addresses to open.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use gateway::extraction::EngineName;

/// The facts about the server that the greeting shows.
pub(super) struct Greeting {
    /// The address on which it listens.
    pub(super) address: SocketAddr,
    /// The address of the metrics, if they have their own.
    pub(super) metrics: Option<SocketAddr>,
    pub(super) engine: EngineName,
    /// Whether clients need a key.
    pub(super) guarded: bool,
}

impl Greeting {
    /// Returns the text, with a line end after each line.
    pub(super) fn text(&self) -> String {
        let engine = match self.engine {
            EngineName::Vllm => "a model server",
            EngineName::Rules => "the rules engine",
        };
        let url = url_of(self.address);
        let metrics = format!("{}/metrics", self.metrics.map_or_else(|| url.clone(), url_of));
        let everywhere = self.address.ip().is_unspecified();
        let reach = if everywhere { " It listens on every address of this machine." } else { "" };
        let key = if self.guarded { " Reading notes needs a key." } else { "" };
        format!(
            "The extraction gateway {} reads notes with {engine}.{reach}{key}\n\n  page     {url}/ui\n  API      {url}/docs\n  \
             metrics  {metrics}\n\nCtrl-C stops it. Each request is a line below.\n",
            env!("CARGO_PKG_VERSION")
        )
    }
}

/// Returns the URL that a browser on this machine opens for an address of the server.
fn url_of(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    format!("http://{address}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greeting_names_addresses_that_a_browser_opens() {
        for (address, metrics, guarded, expected) in [
            ("127.0.0.1:8080", None, false, &["http://127.0.0.1:8080/ui\n", "http://127.0.0.1:8080/metrics\n"] as &[_]),
            (
                "0.0.0.0:80",
                Some("0.0.0.0:9464"),
                true,
                &["http://127.0.0.1:80/docs\n", "http://127.0.0.1:9464/metrics\n", "every address", "needs a key"],
            ),
            ("[::]:8080", None, false, &["http://[::1]:8080/ui\n"]),
            ("[::1]:8080", None, false, &["http://[::1]:8080/ui\n"]),
            ("192.0.2.7:1", None, false, &["http://192.0.2.7:1/ui\n"]),
        ] {
            let address = address.parse().unwrap();
            let metrics = metrics.map(|metrics: &str| metrics.parse().unwrap());
            let text = Greeting { address, metrics, engine: EngineName::Rules, guarded }.text();
            for part in expected {
                assert!(text.contains(part), "{part}: {text}");
            }
            assert!(text.contains("the rules engine") && !text.contains("0.0.0.0"), "{text}");
            assert_eq!(text.contains("needs a key"), guarded, "{text}");
        }
    }
}
