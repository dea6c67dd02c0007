//! The names AWS gives to things, parsed once so that they can't be mixed up.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name that isn't one of the expected kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not {wanted}")]
pub struct NameError {
    /// What was given.
    pub given: String,
    /// What is accepted, with an example.
    pub wanted: &'static str,
}

// Shared text: names are handed around at every event, and a copy has to cost nothing.
macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $prefix:literal, $wanted:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            /// The name as AWS writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::try_from(String::from(text))
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                if is_name(&text, $prefix) {
                    Ok(Self(text.into()))
                } else {
                    Err(NameError { given: text, wanted: $wanted })
                }
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                String::from(&*name.0)
            }
        }
    };
}

/// Hexadecimal after the prefix, as long as EC2's ids are (8 characters until 2016, then 17);
/// a free name where there is no prefix.
fn is_name(text: &str, prefix: &str) -> bool {
    if prefix.is_empty() {
        return !text.is_empty()
            && text.len() <= 255
            && text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    }
    match text.strip_prefix(prefix) {
        Some(hex) => {
            matches!(hex.len(), 8 | 17)
                && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        }
        None => false,
    }
}

name!(
    /// An EC2 instance.
    InstanceId, "i-", "an instance id (like i-1234567890abcdef0)"
);
name!(
    /// An elastic network interface: what routes point to.
    InterfaceId, "eni-", "a network interface id (like eni-0123456789abcdef0)"
);
name!(
    /// A subnet.
    SubnetId, "subnet-", "a subnet id (like subnet-0123456789abcdef0)"
);
name!(
    /// A VPC.
    VpcId, "vpc-", "a VPC id (like vpc-0123456789abcdef0)"
);
name!(
    /// A route table.
    TableId, "rtb-", "a route table id (like rtb-0123456789abcdef0)"
);
name!(
    /// A security group.
    GroupId, "sg-", "a security group id (like sg-0123456789abcdef0)"
);
name!(
    /// An image.
    ImageId, "ami-", "an image id (like ami-0123456789abcdef0)"
);
name!(
    /// An Availability Zone, like `us-east-1a`.
    Az, "", "an Availability Zone (like us-east-1a)"
);
name!(
    /// An instance type, like `m7g.large`.
    InstanceType, "", "an instance type (like m7g.large)"
);
name!(
    /// A key pair, by its name.
    KeyName, "", "a key pair's name (printable ASCII, at most 255 characters)"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_length_and_alphabet_that_ec2_gives_them() {
        for good in ["i-1234567890abcdef0", "i-1a2b3c4d"] {
            assert_eq!(good.parse::<InstanceId>().unwrap().as_str(), good);
        }
        for bad in ["", "i-", "i-1234567890ABCDEF0", "i-123", "eni-1a2b3c4d", "i-1a2b3c4d ", "i-…"]
        {
            assert!(bad.parse::<InstanceId>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn an_error_says_what_is_accepted() {
        let error = "sg-1".parse::<GroupId>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`sg-1` is not a security group id (like sg-0123456789abcdef0)"
        );
    }

    #[test]
    fn a_name_survives_serialization_and_a_wrong_one_is_refused() {
        let id: SubnetId = "subnet-1a2b3c4d".parse().unwrap();
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<SubnetId>(&json).unwrap(), id);
        assert!(serde_json::from_str::<SubnetId>("\"vpc-1a2b3c4d\"").is_err());
    }
}
