//! IPv4 CIDR blocks in canonical form.

use core::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// An IPv4 block; the host bits of `address` are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cidr {
    /// The first address.
    pub address: Ipv4Addr,
    /// 0 to 32.
    pub prefix: u8,
}

/// Every address.
pub(crate) const EVERYWHERE: Cidr = Cidr { address: Ipv4Addr::UNSPECIFIED, prefix: 0 };

/// The text isn't an IPv4 CIDR block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an IPv4 CIDR block")]
pub struct NotACidr;

impl Cidr {
    /// The block of `prefix` bits (at most 32) around `address`.
    #[must_use]
    pub fn new(address: Ipv4Addr, prefix: u8) -> Cidr {
        let prefix = prefix.min(32);
        Cidr { address: Ipv4Addr::from_bits(address.to_bits() & mask(prefix)), prefix }
    }

    /// Whether `address` lies inside.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        address.to_bits() & mask(self.prefix) == self.address.to_bits()
    }

    /// Whether `other` is this block or a part of it.
    #[must_use]
    pub fn covers(self, other: Cidr) -> bool {
        other.prefix >= self.prefix && self.contains(other.address)
    }

    /// How many addresses the block has.
    #[must_use]
    pub fn size(self) -> u64 {
        1 << (32 - u32::from(self.prefix))
    }

    /// The address `n` after the first; wraps inside the block.
    #[must_use]
    pub fn nth(self, n: u64) -> Ipv4Addr {
        let offset = u32::try_from(n % self.size()).expect("a block has at most 2^32 addresses");
        Ipv4Addr::from_bits(self.address.to_bits() | offset)
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = NotACidr;

    /// Host bits are cleared, as EC2 does.
    fn from_str(text: &str) -> Result<Cidr, NotACidr> {
        let (address, prefix) = text.split_once('/').ok_or(NotACidr)?;
        let prefix: u8 = prefix.parse().map_err(|_| NotACidr)?;
        if prefix > 32 {
            return Err(NotACidr);
        }
        Ok(Cidr::new(address.parse().map_err(|_| NotACidr)?, prefix))
    }
}

/// A block of IPv6 in canonical form.
pub(crate) fn ipv6_block(text: &str) -> Option<String> {
    let (address, prefix) = text.split_once('/')?;
    let address: Ipv6Addr = address.parse().ok()?;
    let prefix: u32 = prefix.parse().ok().filter(|prefix| *prefix <= 128)?;
    let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
    Some(format!("{}/{prefix}", Ipv6Addr::from_bits(address.to_bits() & mask)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_parse_to_their_canonical_form() {
        let block: Cidr = "100.68.0.18/18".parse().unwrap();
        assert_eq!(block.to_string(), "100.68.0.0/18");
        assert_eq!(block.size(), 16_384);
        assert_eq!(block.nth(16_383), Ipv4Addr::new(100, 68, 63, 255));
        assert!(block.covers("100.68.63.0/24".parse().unwrap()));
        assert!(!block.covers("100.68.0.0/17".parse().unwrap()));
        assert_eq!("0.0.0.0/0".parse::<Cidr>().unwrap().size(), 1 << 32);
        for wrong in ["10.0.0.10", "10.0.0.0/33", "::/0", "10.0.0/8", "10.0.0.0/-1"] {
            assert_eq!(wrong.parse::<Cidr>(), Err(NotACidr), "{wrong}");
        }
    }
}
