//! What the operator opens beside the public internet.

use std::net::IpAddr;
use std::str::FromStr;

use horarium_domain::address::{Forbidden, is_forbidden};
use ipnet::IpNet;

/// The setting that opens addresses to jobs; named in every refusal, so that an operator knows where to turn.
pub const EGRESS_ALLOW_VARIABLE: &str = "HORARIUM_EGRESS_ALLOW";

/// Which addresses jobs may reach: the public internet and the networks listed here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EgressPolicy {
    /// Networks that are open although [`is_forbidden`] closes them. An IPv4 network also opens the IPv4-mapped form
    /// of its addresses; any other IPv6 form has to be listed itself.
    pub allow: Vec<IpNet>,
}

/// A part of [`EGRESS_ALLOW_VARIABLE`] is no address and no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' in {EGRESS_ALLOW_VARIABLE} is no address or network: write a comma-separated list such as \
     '127.0.0.1, 10.0.0.0/8, fd00::/8'"
)]
pub struct InvalidEgressAllow(String);

impl EgressPolicy {
    /// Nothing but the public internet.
    pub const fn public_only() -> Self {
        Self { allow: Vec::new() }
    }

    /// Why jobs may not reach `address`; `None` when they may.
    pub fn refuses(&self, address: IpAddr) -> Option<Forbidden> {
        let reason = is_forbidden(address)?;
        let canonical = address.to_canonical();
        let open = self.allow.iter().any(|network| network.contains(&canonical) || network.contains(&address));
        (!open).then_some(reason)
    }
}

impl FromStr for EgressPolicy {
    type Err = InvalidEgressAllow;

    /// Reads a comma-separated list of networks in CIDR form and single addresses; blank parts are skipped.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let allow = parts.map(|part| network(part).ok_or_else(|| InvalidEgressAllow(part.to_owned())));
        Ok(Self { allow: allow.collect::<Result<_, _>>()? })
    }
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_setting_takes_networks_and_single_addresses() {
        let policy: EgressPolicy = " 10.0.0.0/8, 127.0.0.1 ,,fd00::/8,".parse().unwrap();
        for open in ["10.1.2.3", "127.0.0.1", "::ffff:127.0.0.1", "fd00::1", "8.8.8.8"] {
            assert_eq!(policy.refuses(address(open)), None, "{open}");
        }
        for closed in ["127.0.0.2", "192.168.0.1", "::1", "fc00::1", "2002:7f00:1::1"] {
            assert!(policy.refuses(address(closed)).is_some(), "{closed}");
        }
    }

    #[test]
    fn an_empty_setting_opens_nothing() {
        assert_eq!("".parse(), Ok(EgressPolicy::public_only()));
        assert_eq!(EgressPolicy::public_only().refuses(address("127.0.0.1")), Some(Forbidden::Loopback));
    }

    #[test]
    fn a_wrong_part_is_named_with_the_setting() {
        let error = "10.0.0.0/8,10.0.0.0/33".parse::<EgressPolicy>().unwrap_err().to_string();
        assert!(error.contains("'10.0.0.0/33'") && error.contains("HORARIUM_EGRESS_ALLOW"), "{error}");
        assert!("localhost".parse::<EgressPolicy>().is_err());
    }
}
