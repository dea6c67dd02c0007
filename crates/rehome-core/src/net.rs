//! Addresses: IPv4 blocks and the VIP.

use alloc::string::{String, ToString};
use core::fmt;
use core::net::Ipv4Addr;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// An IPv4 block in CIDR notation with no host bits set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    network: Ipv4Addr,
    prefix: u8,
}

/// Why a text is no block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// No address, no `/`, or a prefix over 32.
    #[error("`{0}` is not an IPv4 CIDR block (like 10.0.0.10/32)")]
    Malformed(String),
    /// Bits are set right of the prefix.
    #[error("`{given}` has host bits set; the block is {block}")]
    HostBits {
        /// What was given.
        given: String,
        /// The block that contains it.
        block: Cidr,
    },
}

impl Cidr {
    /// The block of `prefix` bits that contains `address`; the prefix is capped at 32.
    #[must_use]
    pub fn containing(address: Ipv4Addr, prefix: u8) -> Cidr {
        let prefix = prefix.min(32);
        Cidr { network: Ipv4Addr::from_bits(address.to_bits() & mask(prefix)), prefix }
    }

    /// The block of exactly one address.
    #[must_use]
    pub fn host(address: Ipv4Addr) -> Cidr {
        Cidr { network: address, prefix: 32 }
    }

    /// The lowest address of the block.
    #[must_use]
    pub fn network(self) -> Ipv4Addr {
        self.network
    }

    /// The number of leading bits that all addresses share, 0 to 32.
    #[must_use]
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether `address` is in the block.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        address.to_bits() & mask(self.prefix) == self.network.to_bits()
    }

    /// Whether the two blocks share an address.
    #[must_use]
    pub fn overlaps(self, other: Cidr) -> bool {
        self.contains(other.network) || other.contains(self.network)
    }

    /// Whether every address of `other` is one of this block's.
    #[must_use]
    pub fn covers(self, other: Cidr) -> bool {
        self.prefix <= other.prefix && self.contains(other.network)
    }

    /// The lower and the upper half; none of one address.
    #[must_use]
    pub fn halves(self) -> Option<[Cidr; 2]> {
        if self.prefix >= 32 {
            return None;
        }
        let prefix = self.prefix + 1;
        let upper = Ipv4Addr::from_bits(self.network.to_bits() | 1 << (32 - prefix));
        Some([self.network, upper].map(|network| Cidr { network, prefix }))
    }

    /// The subnet's router: its first address after the network's own
    /// (AWS: "Subnet CIDR reservations and reserved addresses", VPC user guide).
    #[must_use]
    pub fn router(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network.to_bits().wrapping_add(1))
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Cidr, CidrError> {
        let malformed = || CidrError::Malformed(text.to_string());
        let (address, prefix) = text.split_once('/').ok_or_else(malformed)?;
        let address: Ipv4Addr = address.parse().map_err(|_| malformed())?;
        let digits = prefix.bytes().all(|b| b.is_ascii_digit());
        let prefix: u8 = prefix.parse().map_err(|_| malformed())?;
        if prefix > 32 || !digits {
            return Err(malformed());
        }
        let block = Cidr::containing(address, prefix);
        if block.network != address {
            return Err(CidrError::HostBits { given: text.to_string(), block });
        }
        Ok(block)
    }
}

impl TryFrom<String> for Cidr {
    type Error = CidrError;

    fn try_from(text: String) -> Result<Cidr, CidrError> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> String {
        cidr.to_string()
    }
}

/// The overlay address and the block that routes carry for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Vip {
    /// What the route tables carry: `10.0.0.10/32` in the mission's form.
    pub destination: Cidr,
    /// What is probed.
    pub address: Ipv4Addr,
}

/// Why a text is no VIP in the mission's form (`--route-destination`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VipError {
    /// Neither an address nor a block.
    #[error("`{0}` is not an IPv4 address or a /32 (like 10.0.0.10/32)")]
    Malformed(String),
    /// A block of more than one address.
    #[error(
        "`{given}` is wider than one address; write {address}/32 to move that address, or {block} \
         with --probe-address to move the whole block"
    )]
    Wide {
        /// What was given.
        given: String,
        /// The address in it.
        address: Ipv4Addr,
        /// The block that contains it.
        block: Cidr,
    },
    /// An address to probe that isn't in the block that is moved.
    #[error("{address} does not lie in {block}, so its answers would say nothing about it")]
    Outside {
        /// The address to probe.
        address: Ipv4Addr,
        /// What is moved.
        block: Cidr,
    },
    /// An address that no VPC can route, with the reason.
    #[error("{address} can't be a VIP: {why}")]
    Unroutable {
        /// What was given.
        address: Ipv4Addr,
        /// Why not.
        why: &'static str,
    },
}

impl FromStr for Vip {
    type Err = VipError;

    /// Takes one host, as `10.0.0.10` or `10.0.0.10/32`.
    fn from_str(text: &str) -> Result<Vip, VipError> {
        let malformed = || VipError::Malformed(text.to_string());
        let (host, prefix) = text.split_once('/').unwrap_or((text, "32"));
        let address: Ipv4Addr = host.parse().map_err(|_| malformed())?;
        match prefix.parse::<u8>() {
            Ok(32) if prefix == "32" => {}
            Ok(width @ 0..=31) => {
                let block = Cidr::containing(address, width);
                return Err(VipError::Wide { given: text.to_string(), address, block });
            }
            Ok(_) | Err(_) => return Err(malformed()),
        }
        if let Some(why) = unroutable(address) {
            return Err(VipError::Unroutable { address, why });
        }
        Ok(Vip { destination: Cidr::host(address), address })
    }
}

impl Vip {
    /// Takes what routes may carry: one host as [`from_str`](Self::from_str) does, or a block. Of a
    /// block nobody knows yet which address in it answers probes: its lowest one stands in until
    /// [`probed_at`](Self::probed_at) says.
    ///
    /// # Errors
    /// As `from_str`; a block with host bits is refused, because one host was probably meant.
    pub fn of_destination(text: &str) -> Result<Vip, VipError> {
        match (text.parse(), text.parse::<Cidr>()) {
            (Err(VipError::Wide { .. }), Ok(block)) => {
                Ok(Vip { destination: block, address: block.network() })
            }
            (result, _) => result,
        }
    }

    /// The same destination, probed at `address`.
    ///
    /// # Errors
    /// Where the address isn't in the destination, or can't be routed.
    pub fn probed_at(self, address: Ipv4Addr) -> Result<Vip, VipError> {
        let block = self.destination;
        if !block.contains(address) {
            return Err(VipError::Outside { address, block });
        }
        match unroutable(address) {
            Some(why) => Err(VipError::Unroutable { address, why }),
            None => Ok(Vip { destination: block, address }),
        }
    }

    /// Whether more than the probed address is moved.
    #[must_use]
    pub fn is_wide(self) -> bool {
        self.destination.prefix() < 32
    }
}

impl fmt::Display for Vip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// Blocks that a VPC route table doesn't route (VPC user guide, "Route tables": 169.254.168.0/22 is
/// reserved; the others never leave a host or aren't unicast).
fn unroutable(address: Ipv4Addr) -> Option<&'static str> {
    if address.is_loopback() {
        Some("it is a loopback address")
    } else if address.is_link_local() {
        Some("it is a link-local address")
    } else if address.is_multicast() || address.is_broadcast() || address.octets()[0] >= 240 {
        Some("it is not a unicast address")
    } else if address.octets()[0] == 0 {
        Some("0.0.0.0/8 is not routable")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_vip_is_one_host_with_or_without_its_prefix() {
        for text in ["10.0.0.10", "10.0.0.10/32"] {
            let vip: Vip = text.parse().unwrap();
            assert_eq!(vip.destination.to_string(), "10.0.0.10/32");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        for (text, why) in [
            ("10.0.0.10/24", "wider than one address; write 10.0.0.10/32"),
            ("10.0.0.0/24", "or 10.0.0.0/24 with --probe-address to move the whole block"),
            ("10.0.0.10/33", "is not an IPv4 address"),
            ("10.0.0.10/", "is not an IPv4 address"),
            ("10.0.0.10/+32", "is not an IPv4 address"),
            ("10.0.0", "is not an IPv4 address"),
            ("fd00::1/128", "is not an IPv4 address"),
            ("127.0.0.1", "loopback"),
            ("169.254.169.254", "link-local"),
            ("224.0.0.1", "not a unicast"),
            ("", "is not an IPv4 address"),
        ] {
            let error = text.parse::<Vip>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_block_with_host_bits_names_the_block() {
        let error = "172.31.48.10/20".parse::<Cidr>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`172.31.48.10/20` has host bits set; the block is 172.31.48.0/20"
        );
    }

    #[test]
    fn the_router_of_a_subnet_is_its_first_address() {
        let subnet: Cidr = "172.31.48.0/20".parse().unwrap();
        assert_eq!(subnet.router(), Ipv4Addr::new(172, 31, 48, 1));
    }

    proptest! {
        #[test]
        fn a_block_contains_what_it_was_made_of_and_reads_back(bits: u32, prefix in 0u8..=32) {
            let address = Ipv4Addr::from_bits(bits);
            let block = Cidr::containing(address, prefix);
            prop_assert!(block.contains(address));
            prop_assert!(block.overlaps(Cidr::host(address)));
            prop_assert_eq!(block.to_string().parse::<Cidr>().unwrap(), block);
        }

        #[test]
        fn two_blocks_overlap_exactly_when_one_holds_the_other(
            a: u32, b: u32, p in 0u8..=32, q in 0u8..=32,
        ) {
            let (one, two) = (
                Cidr::containing(Ipv4Addr::from_bits(a), p),
                Cidr::containing(Ipv4Addr::from_bits(b), q),
            );
            let shorter = p.min(q);
            let same = Cidr::containing(one.network(), shorter)
                == Cidr::containing(two.network(), shorter);
            prop_assert_eq!(one.overlaps(two), same);
        }
    }

    #[test]
    fn a_block_is_moved_only_with_an_address_in_it_to_probe() {
        let wide = Vip::of_destination("10.0.0.8/29").unwrap();
        assert!(wide.is_wide());
        let probed = wide.probed_at(Ipv4Addr::new(10, 0, 0, 10)).unwrap();
        assert_eq!(probed.destination.to_string(), "10.0.0.8/29");
        assert_eq!(probed.to_string(), "10.0.0.10");
        let outside = wide.probed_at(Ipv4Addr::new(10, 0, 0, 16)).unwrap_err();
        assert!(outside.to_string().contains("does not lie in 10.0.0.8/29"), "{outside}");
        assert!(Vip::of_destination("10.0.0.10/29").is_err(), "one host was probably meant");
        assert!(!Vip::of_destination("10.0.0.10").unwrap().is_wide());
        assert!(Vip::of_destination("0.0.0.0/0").unwrap().is_wide());
    }
}
