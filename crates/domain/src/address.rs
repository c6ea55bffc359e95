//! What an IP address is for: the public internet, or something that not everybody should be sent to.
//!
//! It is what the egress guards of the server and of the agents judge by.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is closed to jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Forbidden {
    /// A cloud provider's metadata service, which hands out credentials to whoever asks.
    Metadata,
    /// The server's own machine.
    Loopback,
    /// `0.0.0.0` and `::`, which most systems take for the own machine, and the rest of `0.0.0.0/8`.
    Unspecified,
    /// A private network (RFC 1918).
    Private,
    /// The local link, and the deprecated site-local range.
    LinkLocal,
    /// The provider's side of a carrier-grade NAT (RFC 6598).
    SharedAddressSpace,
    /// A private IPv6 network (RFC 4193).
    UniqueLocal,
    /// Several hosts at once.
    Multicast,
    /// All hosts of the link.
    Broadcast,
    /// Set aside: documentation, benchmarks, protocol assignments, or not handed out at all.
    Reserved,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "a cloud metadata address",
            Self::Loopback => "a loopback address",
            Self::Unspecified => "an unspecified address",
            Self::Private => "a private address",
            Self::LinkLocal => "a link-local address",
            Self::SharedAddressSpace => "a carrier-grade NAT address",
            Self::UniqueLocal => "a unique-local address",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Reserved => "a reserved address",
        })
    }
}

/// Why jobs may not reach `address`; `None` for the public internet.
///
/// An IPv6 address that carries an IPv4 one (mapped, compatible, NAT64, 6to4, ISATAP) is judged by that one too: a
/// packet sent to it may come out there. Teredo is closed altogether.
pub fn is_forbidden(address: IpAddr) -> Option<Forbidden> {
    match address {
        IpAddr::V4(v4) => forbidden_v4(v4),
        IpAddr::V6(v6) => forbidden_v6(v6),
    }
}

/// Alibaba Cloud, Azure's wire server and Oracle Cloud, beside the address that all others share.
const METADATA_V4: [Ipv4Addr; 4] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];

/// Amazon's metadata service on IPv6, and Google's.
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

fn forbidden_v4(address: Ipv4Addr) -> Option<Forbidden> {
    if METADATA_V4.contains(&address) {
        return Some(Forbidden::Metadata);
    }
    // The registry: https://www.iana.org/assignments/iana-ipv4-special-registry
    match address.octets() {
        [0, ..] => Some(Forbidden::Unspecified),
        [127, ..] => Some(Forbidden::Loopback),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some(Forbidden::Private),
        [169, 254, ..] => Some(Forbidden::LinkLocal),
        [100, 64..=127, ..] => Some(Forbidden::SharedAddressSpace),
        [224..=239, ..] => Some(Forbidden::Multicast),
        [255, 255, 255, 255] => Some(Forbidden::Broadcast),
        // Protocol assignments, the three documentation networks, the 6to4 relays, benchmarks, class E.
        [192, 0, 0 | 2, _]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [240..=255, ..] => Some(Forbidden::Reserved),
        _ => None,
    }
}

fn forbidden_v6(address: Ipv6Addr) -> Option<Forbidden> {
    if METADATA_V6.contains(&address) {
        return Some(Forbidden::Metadata);
    }
    let segments = address.segments();
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => return Some(Forbidden::Unspecified),
        [0, 0, 0, 0, 0, 0, 0, 1] => return Some(Forbidden::Loopback),
        _ => {}
    }
    if let Some(reason) = carried_v4(segments).and_then(forbidden_v4) {
        return Some(reason);
    }
    // The registry: https://www.iana.org/assignments/iana-ipv6-special-registry
    match segments {
        [0xfe80..=0xfeff, ..] => Some(Forbidden::LinkLocal),
        [0xfc00..=0xfdff, ..] => Some(Forbidden::UniqueLocal),
        [0xff00..=0xffff, ..] => Some(Forbidden::Multicast),
        // Protocol assignments (Teredo, benchmarks, ORCHID), and the two documentation networks.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some(Forbidden::Reserved),
        // Global unicast addresses are only handed out from 2000::/3. Beside them, IPv4-mapped and NAT64 ones lead to
        // public hosts; the IPv4 address in them has just been found to be one.
        [0x2000..=0x3fff, ..] | [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => None,
        _ => Some(Forbidden::Reserved),
    }
}

/// The IPv4 address that an IPv6 one carries within itself, if it does.
fn carried_v4(segments: [u16; 8]) -> Option<Ipv4Addr> {
    match segments {
        // Compatible, and translated by RFC 2765.
        [0, 0, 0, 0, 0 | 0xffff, 0, high, low]
        // Mapped.
        | [0, 0, 0, 0, 0, 0xffff, high, low]
        // NAT64.
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        // ISATAP, below any prefix.
        | [_, _, _, _, 0 | 0x200, 0x5efe, high, low]
        // 6to4.
        | [0x2002, high, low, ..] => Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reason(address: &str) -> Option<Forbidden> {
        is_forbidden(address.parse().unwrap())
    }

    #[test]
    fn every_special_ipv4_network_is_closed_at_both_ends() {
        for (first, last, expected) in [
            ("0.0.0.0", "0.255.255.255", Forbidden::Unspecified),
            ("10.0.0.0", "10.255.255.255", Forbidden::Private),
            ("100.64.0.0", "100.127.255.255", Forbidden::SharedAddressSpace),
            ("127.0.0.0", "127.255.255.255", Forbidden::Loopback),
            ("169.254.0.0", "169.254.255.255", Forbidden::LinkLocal),
            ("172.16.0.0", "172.31.255.255", Forbidden::Private),
            ("192.0.0.0", "192.0.0.255", Forbidden::Reserved),
            ("192.0.2.0", "192.0.2.255", Forbidden::Reserved),
            ("192.88.99.0", "192.88.99.255", Forbidden::Reserved),
            ("192.168.0.0", "192.168.255.255", Forbidden::Private),
            ("198.18.0.0", "198.19.255.255", Forbidden::Reserved),
            ("198.51.100.0", "198.51.100.255", Forbidden::Reserved),
            ("203.0.113.0", "203.0.113.255", Forbidden::Reserved),
            ("224.0.0.0", "239.255.255.255", Forbidden::Multicast),
            ("240.0.0.0", "255.255.255.254", Forbidden::Reserved),
        ] {
            assert_eq!(reason(first), Some(expected), "{first}");
            assert_eq!(reason(last), Some(expected), "{last}");
        }
        assert_eq!(reason("255.255.255.255"), Some(Forbidden::Broadcast));
    }

    #[test]
    fn the_neighbours_of_the_special_networks_are_open() {
        for public in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "8.8.8.8",
            "2606:4700::1111",
            "2001:4860:4860::8888",
        ] {
            assert_eq!(reason(public), None, "{public}");
        }
    }

    #[test]
    fn metadata_services_are_named_as_what_they_are() {
        for address in ["169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"] {
            assert_eq!(reason(address), Some(Forbidden::Metadata), "{address}");
        }
    }

    #[test]
    fn special_ipv6_networks_are_closed() {
        for (address, expected) in [
            ("::", Forbidden::Unspecified),
            ("::1", Forbidden::Loopback),
            ("fe80::1", Forbidden::LinkLocal),
            ("fec0::1", Forbidden::LinkLocal),
            ("fc00::1", Forbidden::UniqueLocal),
            ("fdff::1", Forbidden::UniqueLocal),
            ("ff02::1", Forbidden::Multicast),
            ("2001:db8::1", Forbidden::Reserved),
            ("2001::808:808", Forbidden::Reserved),
            ("2001:2::1", Forbidden::Reserved),
            ("2001:10::1", Forbidden::Reserved),
            ("2001:20::1", Forbidden::Reserved),
            ("3fff::1", Forbidden::Reserved),
            ("100::1", Forbidden::Reserved),
            ("5f00::1", Forbidden::Reserved),
            ("64:ff9b:1::808:808", Forbidden::Reserved),
            ("4000::1", Forbidden::Reserved),
        ] {
            assert_eq!(reason(address), Some(expected), "{address}");
        }
    }

    fn embeddings(v4: Ipv4Addr) -> Vec<Ipv6Addr> {
        let [a, b, c, d] = v4.octets();
        let high = u16::from_be_bytes([a, b]);
        let low = u16::from_be_bytes([c, d]);
        vec![
            v4.to_ipv6_mapped(),
            Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            Ipv6Addr::new(0x2001, 0, 0x0808, 0x0808, 0, 0, !high, !low),
            Ipv6Addr::new(0x2001, 0, high, low, 0, 0, !0x0808, !0x0808),
            Ipv6Addr::new(0x2606, 0x4700, 0, 0, 0x200, 0x5efe, high, low),
        ]
    }

    proptest! {
        #[test]
        fn no_forbidden_ipv4_address_is_open_in_an_ipv6_disguise(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            if is_forbidden(v4.into()).is_some() {
                for disguise in embeddings(v4) {
                    prop_assert!(is_forbidden(disguise.into()).is_some(), "{v4} as {disguise}");
                }
            }
        }

        #[test]
        fn a_mapped_address_is_judged_exactly_as_the_address_it_maps(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            prop_assert_eq!(is_forbidden(v4.to_ipv6_mapped().into()), is_forbidden(v4.into()));
        }

        #[test]
        fn what_the_standard_library_calls_local_is_closed(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            let local = v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified()
                || v4.is_multicast() || v4.is_broadcast() || v4.is_documentation();
            prop_assert!(!local || is_forbidden(v4.into()).is_some());
        }

        #[test]
        fn only_global_unicast_and_translated_ipv6_addresses_are_open(bits: u128) {
            let v6 = Ipv6Addr::from_bits(bits);
            if is_forbidden(v6.into()).is_none() {
                let [first, ..] = v6.segments();
                prop_assert!((0x2000..=0x3fff).contains(&first) || v6.to_ipv4_mapped().is_some() || first == 0x64);
            }
        }
    }
}
