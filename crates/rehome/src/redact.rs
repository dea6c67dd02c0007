//! Secrets out of recordings: the same secret becomes the same word, so that what compares equal
//! before does so afterwards, and a replay decides as the original did.

use rehome_core::digest::sha256_hex;
use serde_json::Value;

/// What a redacted text begins with.
const MARK: &str = "redacted:";

/// Parts of a tag's key that say that its value is nobody's business.
const SECRET_KEYS: [&str; 9] =
    ["secret", "password", "passwd", "pwd", "token", "credential", "auth", "apikey", "privatekey"];

/// Shorter words can't be one of AWS's secret keys (40 characters), session tokens or encoded
/// authorization messages.
const SECRET_CHARS: usize = 40;

/// Replaces secrets by digests of them. The salt never leaves the process, so that a short secret
/// can't be found by trying.
#[derive(Debug)]
pub(crate) struct Redactor {
    salt: String,
}

impl Redactor {
    /// One with a salt of its own.
    pub(crate) fn new() -> Redactor {
        use std::hash::{BuildHasher as _, RandomState};
        let chance = || RandomState::new().hash_one(0);
        Redactor { salt: format!("{:016x}{:016x}", chance(), chance()) }
    }

    /// Takes the secrets out of a value.
    pub(crate) fn redact(&self, value: &mut Value) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => {
                if let Some(redacted) = self.text(text) {
                    *text = redacted;
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.redact(value)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::Object(tags) if name == "tags" => {
                            for (key, value) in tags {
                                self.tag(key, value);
                            }
                        }
                        Value::Null
                        | Value::Bool(_)
                        | Value::Number(_)
                        | Value::String(_)
                        | Value::Array(_)
                        | Value::Object(_) => self.redact(value),
                    }
                }
            }
        }
    }

    fn tag(&self, key: &str, value: &mut Value) {
        let plain: String =
            key.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
        let ours = key.starts_with("rehome:") || key.starts_with("aws:");
        match value {
            Value::String(text) if !ours && SECRET_KEYS.iter().any(|word| plain.contains(word)) => {
                *text = self.word(text);
            }
            Value::String(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => self.redact(value),
        }
    }

    /// A text with its secret words replaced, where it has any.
    fn text(&self, text: &str) -> Option<String> {
        if text.len() < 20 {
            return None;
        }
        let part = |c: char| c.is_ascii_alphanumeric() || "+/=_-".contains(c);
        let mut redacted = String::new();
        let mut rest = text;
        let mut found = false;
        while let Some(start) = rest.find(part) {
            let end = rest[start..].find(|c| !part(c)).map_or(rest.len(), |at| start + at);
            let word = &rest[start..end];
            redacted.push_str(&rest[..start]);
            if is_secret(word) {
                found = true;
                redacted.push_str(&self.word(word));
            } else {
                redacted.push_str(word);
            }
            rest = &rest[end..];
        }
        redacted.push_str(rest);
        found.then_some(redacted)
    }

    fn word(&self, secret: &str) -> String {
        if secret.starts_with(MARK) {
            return secret.to_owned();
        }
        let digest = sha256_hex(format!("{}{secret}", self.salt).as_bytes());
        format!("{MARK}{}", digest.get(..8).unwrap_or_default())
    }
}

/// Access key ids (AWS documents their prefixes and length), and long words of mixed letters and
/// digits. Our own digests and EC2's ids have no capitals.
fn is_secret(word: &str) -> bool {
    let id = word.strip_prefix("AKIA").or_else(|| word.strip_prefix("ASIA"));
    let capitals = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    if id.is_some_and(|id| id.len() == 16 && id.chars().all(capitals)) {
        return true;
    }
    word.len() >= SECRET_CHARS
        && word.contains(|c: char| c.is_ascii_uppercase())
        && word.contains(|c: char| c.is_ascii_lowercase())
        && word.contains(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_go_and_what_decisions_rest_on_stays() {
        let digest = sha256_hex(b"user data");
        let before = json!({
            "tags": {"Name": "web", "DbPassword": "hunter2", "rehome:vip": "10.0.0.10",
                     "api-key": "k", "API_KEY": "k", "aws:autoscaling:groupName": "web"},
            "token": digest,
            "why": "AccessDenied: key AKIAIOSFODNN7EXAMPLE with \
                    wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1 isn't allowed",
            "list": ["i-0123456789abcdef0", "arn:aws:iam::123456789012:instance-profile/web"],
        });
        let mut after = before.clone();
        let redactor = Redactor::new();
        redactor.redact(&mut after);
        let text = after.to_string();
        for secret in ["hunter2", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert_eq!(after["tags"]["api-key"], after["tags"]["API_KEY"], "the same secret");
        for kept in ["token", "list"] {
            assert_eq!(after[kept], before[kept]);
        }
        assert_eq!(after["tags"]["rehome:vip"], "10.0.0.10");
        let said = after["why"].as_str().unwrap();
        assert!(said.starts_with("AccessDenied: key redacted:") && said.ends_with("isn't allowed"));
        // What was redacted once is left as it is.
        let mut again = after.clone();
        redactor.redact(&mut again);
        assert_eq!(again, after);
        // Another process has another salt.
        let mut other = before;
        Redactor::new().redact(&mut other);
        assert_ne!(other["tags"]["DbPassword"], after["tags"]["DbPassword"]);
    }
}
