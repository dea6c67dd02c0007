//! Base64 (RFC 4648, section 4), which user data travels in.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The text form of `bytes`, padded.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            if place <= chunk.len() {
                let index = group >> (18 - 6 * place) & 63;
                text.push(char::from(ALPHABET[index as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

/// The bytes of `text`; white space is skipped, padding may be missing. `None` if it isn't base64.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut places, mut padding) = (0_u32, 0_u32, 0_u32);
    for byte in text.bytes().filter(|b| !b.is_ascii_whitespace()) {
        if byte == b'=' {
            padding += 1;
            continue;
        }
        let index = ALPHABET.iter().position(|letter| *letter == byte)?;
        if padding > 0 {
            return None;
        }
        group = group << 6 | u32::try_from(index).expect("an index into 64 letters");
        places += 1;
        if places == 4 {
            bytes.extend_from_slice(&group.to_be_bytes()[1..]);
            (group, places) = (0, 0);
        }
    }
    match places {
        0 if padding == 0 => Some(bytes),
        2 if padding == 0 || padding == 2 => {
            bytes.push((group >> 4) as u8);
            Some(bytes)
        }
        3 if padding <= 1 => {
            bytes.extend_from_slice(&(group << 6).to_be_bytes()[1..3]);
            Some(bytes)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_rfc_go_both_ways() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), plain.as_bytes());
            assert_eq!(decode(text.trim_end_matches('=')).unwrap(), plain.as_bytes());
        }
        assert_eq!(decode("Zm9v\nYmFy").unwrap(), b"foobar");
        for wrong in ["Z", "Zm9vY===", "#!/bin/bash", "Zg=a"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
