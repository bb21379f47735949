//! Which addresses are the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is, as far as calling it goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The public internet.
    Public,
    /// This machine.
    Loopback,
    /// A network of one's own: RFC 1918, RFC 6598 (carrier-grade NAT), RFC 4193 (unique local).
    Private,
    /// Nothing that a message could be meant for: link-local (where clouds serve the machine's
    /// credentials), unspecified, multicast, documentation, reserved, transition mechanisms.
    Nowhere,
}

/// Says where an address lies, after the IANA special-purpose address registries
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry>,
/// <https://www.iana.org/assignments/iana-ipv6-special-registry>; RFC 6890).
pub fn place(address: IpAddr) -> Place {
    match address {
        IpAddr::V4(v4) => place_v4(v4),
        IpAddr::V6(v6) => place_v6(v6),
    }
}

#[expect(clippy::unnested_or_patterns, reason = "one line per entry of the registry")]
fn place_v4(address: Ipv4Addr) -> Place {
    match address.octets() {
        [127, ..] => Place::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Place::Private,
        [0, ..]                      // "this network"; 0.0.0.0 reaches the machine itself
        | [169, 254, ..]             // link-local
        | [192, 0, 0 | 2, _]         // protocol assignments, documentation
        | [192, 88, 99, _]           // 6to4 relays, deprecated
        | [198, 18..=19, ..]         // benchmarks
        | [198, 51, 100, _]          // documentation
        | [203, 0, 113, _]           // documentation
        | [224..=255, ..]            // multicast, reserved, broadcast
            => Place::Nowhere,
        _ => Place::Public,
    }
}

#[expect(clippy::unnested_or_patterns, reason = "one line per entry of the registry")]
fn place_v6(address: Ipv6Addr) -> Place {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Place::Loopback,
        // Where DNS64 is in use, this is how a public IPv4 address looks (RFC 6052).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            match place_v4(Ipv4Addr::new(a, b, c, d)) {
                Place::Public => Place::Public,
                _ => Place::Nowhere,
            }
        }
        [0xfc00..=0xfdff, ..] => Place::Private,
        [0x2001, 0..=0x1ff, ..]      // protocol assignments: Teredo, ORCHID, benchmarks
        | [0x2001, 0xdb8, ..]        // documentation
        | [0x2002, ..]               // 6to4: an IPv4 address in disguise
        | [0x3fff, 0..=0xfff, ..]    // documentation
            => Place::Nowhere,
        [0x2000..=0x3fff, ..] => Place::Public, // global unicast (RFC 4291)
        // Everything else, IPv4-mapped and -compatible addresses and link-local ones among it.
        _ => Place::Nowhere,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_public_internet_is_public_and_its_neighbours_are_not() {
        for (text, expected) in [
            ("1.1.1.1", Place::Public),
            ("9.255.255.255", Place::Public),
            ("11.0.0.0", Place::Public),
            ("100.63.255.255", Place::Public),
            ("100.128.0.0", Place::Public),
            ("172.15.255.255", Place::Public),
            ("172.32.0.0", Place::Public),
            ("192.0.1.1", Place::Public),
            ("223.255.255.255", Place::Public),
            ("2606:4700:4700::1111", Place::Public),
            ("64:ff9b::808:808", Place::Public),
            ("127.255.255.255", Place::Loopback),
            ("::1", Place::Loopback),
            ("172.31.255.255", Place::Private),
            ("fdff::1", Place::Private),
            ("64:ff9b::a00:1", Place::Nowhere),
            ("::ffff:8.8.8.8", Place::Nowhere),
            ("::8.8.8.8", Place::Nowhere),
            ("fe80::1", Place::Nowhere),
            ("fec0::1", Place::Nowhere),
            ("ff02::1", Place::Nowhere),
            ("224.0.0.0", Place::Nowhere),
            ("255.255.255.255", Place::Nowhere),
        ] {
            assert_eq!(place(text.parse().unwrap()), expected, "{text}");
        }
    }
}
