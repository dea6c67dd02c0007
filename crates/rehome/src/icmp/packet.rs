//! Echo messages as bytes (RFC 792, page 14): pure functions, bounded, that take whatever comes.
//!
//! The payload says whose probe it is (a nonce that this process drew), which one, and who was
//! asked. So neither a stranger's answer, nor one to an earlier process, nor one that another
//! address sent is taken for an answer to ours, and no table of open probes is needed.

use std::net::Ipv4Addr;

/// What tells this process's probes from all others.
pub(crate) type Nonce = [u8; 16];

/// Bytes of ICMP's own header.
const HEADER: usize = 8;

/// Bytes of an echo message: the header, the nonce, the probe's number, the address asked.
pub(crate) const LENGTH: usize = HEADER + 16 + 8 + 4;

const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;

/// IP protocol number (RFC 792).
const PROTOCOL_ICMP: u8 = 1;

/// An answer to one of our probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The identifier it carries.
    pub(crate) identifier: u16,
    /// Which probe it answers.
    pub(crate) probe: u64,
    /// Whom that probe asked.
    pub(crate) target: Ipv4Addr,
}

/// The echo request of one probe.
#[must_use]
pub(crate) fn request(
    nonce: &Nonce,
    identifier: u16,
    probe: u64,
    target: Ipv4Addr,
) -> [u8; LENGTH] {
    let mut message = [0; LENGTH];
    message[0] = ECHO_REQUEST;
    message[4..6].copy_from_slice(&identifier.to_be_bytes());
    // Only for people who read a packet capture; the payload has the whole number.
    message[6..8].copy_from_slice(&probe.to_be_bytes()[6..]);
    message[8..24].copy_from_slice(nonce);
    message[24..32].copy_from_slice(&probe.to_be_bytes());
    message[32..36].copy_from_slice(&target.octets());
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

/// The answer in `message`, if it is one, unharmed, and to a probe with this nonce.
#[must_use]
pub(crate) fn reply(message: &[u8], nonce: &Nonce) -> Option<Reply> {
    let message: &[u8; LENGTH] = message.try_into().ok()?;
    let ours = message[0] == ECHO_REPLY && message[1] == 0 && message[8..24] == *nonce;
    // A sum over a message with a right checksum in it is zero (RFC 1071, section 1).
    if !ours || checksum(message) != 0 {
        return None;
    }
    let (probe, target) = message[24..].split_first_chunk::<8>()?;
    let target: [u8; 4] = target.try_into().ok()?;
    Some(Reply {
        identifier: u16::from_be_bytes([message[4], message[5]]),
        probe: u64::from_be_bytes(*probe),
        target: Ipv4Addr::from(target),
    })
}

/// The sender and the ICMP message of an IPv4 packet, as raw sockets deliver it; nothing for
/// fragments and for packets that are cut off.
#[must_use]
pub(crate) fn unwrap(packet: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let header = packet.first_chunk::<20>()?;
    let header_length = usize::from(header[0] & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    // "More fragments" and the offset (RFC 791, section 3.1); "don't fragment" may be set.
    let fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0;
    let whole = header[0] >> 4 == 4 && header_length >= 20 && total == packet.len();
    if !whole || fragment || header[9] != PROTOCOL_ICMP {
        return None;
    }
    let source = Ipv4Addr::new(header[12], header[13], header[14], header[15]);
    Some((source, packet.get(header_length..)?))
}

/// The Internet checksum (RFC 1071).
fn checksum(message: &[u8; LENGTH]) -> u16 {
    let mut sum: u32 =
        message.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("the loop ends at 16 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: Nonce = *b"0123456789abcdef";
    const TARGET: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);

    /// What a host makes of a request: type 0, same payload, new checksum.
    fn answered(request: &[u8; LENGTH]) -> [u8; LENGTH] {
        let mut message = *request;
        message[0] = ECHO_REPLY;
        message[2..4].fill(0);
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        message
    }

    fn wrapped(message: &[u8]) -> Vec<u8> {
        let total = u8::try_from(20 + message.len()).unwrap();
        let mut packet = vec![0x45, 0, 0, total, 0, 1, 0x40, 0, 64, 1, 0, 0];
        packet.extend([10, 0, 0, 10, 172, 31, 16, 5]);
        packet.extend(message);
        packet
    }

    #[test]
    fn an_answer_tells_which_probe_it_answers_and_whom_that_asked() {
        for probe in [0, 1, 0xffff, 0x1_0000, u64::MAX] {
            let answer = reply(&answered(&request(&NONCE, 7, probe, TARGET)), &NONCE).unwrap();
            assert_eq!(answer, Reply { identifier: 7, probe, target: TARGET });
        }
    }

    #[test]
    fn a_checksum_is_the_one_of_the_rfc() {
        // RFC 1071, section 3: the words 0001 f203 f4f5 f6f7 sum up to ddf2.
        let mut message = [0; LENGTH];
        message[..8].copy_from_slice(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(checksum(&message), !0xddf2);
    }

    #[test]
    fn what_is_not_a_whole_answer_to_us_is_nothing() {
        let request = request(&NONCE, 7, 42, TARGET);
        let answer = answered(&request);
        assert_eq!(reply(&request, &NONCE), None, "our own request, seen on loopback");
        assert_eq!(reply(&answer, b"another-process!"), None);
        assert_eq!(reply(&answer[..LENGTH - 1], &NONCE), None);
        assert_eq!(reply(&[&answer[..], &[0]].concat(), &NONCE), None);
        assert_eq!(reply(&[], &NONCE), None);
    }

    #[test]
    fn one_flipped_bit_anywhere_is_noticed() {
        let answer = answered(&request(&NONCE, 7, 42, TARGET));
        for bit in 0..LENGTH * 8 {
            let mut harmed = answer;
            harmed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(reply(&harmed, &NONCE), None, "bit {bit}");
        }
    }

    #[test]
    fn an_ip_header_is_taken_off_whatever_its_length() {
        let message = request(&NONCE, 7, 42, TARGET);
        assert_eq!(unwrap(&wrapped(&message)), Some((TARGET, &message[..])));
        let mut with_options = wrapped(&message);
        with_options.splice(20..20, [0; 4]);
        with_options[0] = 0x46;
        with_options[3] += 4;
        assert_eq!(unwrap(&with_options), Some((TARGET, &message[..])));
    }

    #[test]
    fn any_bytes_at_all_are_taken_without_a_panic() {
        // Every prefix of a packet, and every value of each byte of its header.
        let packet = wrapped(&answered(&request(&NONCE, 7, 42, TARGET)));
        for length in 0..packet.len() {
            assert_eq!(unwrap(&packet[..length]), None, "{length} bytes");
        }
        for (index, value) in (0..20).flat_map(|index| (0..=255).map(move |value| (index, value))) {
            let mut odd = packet.clone();
            odd[index] = value;
            if let Some((_, message)) = unwrap(&odd) {
                assert!(message.len() <= LENGTH);
            }
        }
    }
}
