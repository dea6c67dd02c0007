//! Ids, and what EC2 says of one that is unknown or malformed.
//!
//! Codes: "Error codes for the Amazon EC2 API".

use crate::error::ApiError;

/// What an id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Instance,
    Vpc,
    Subnet,
    RouteTable,
    Interface,
    Group,
    GroupRule,
    Volume,
    Image,
    Acl,
    KeyPair,
    SpotRequest,
    Allocation,
}

/// How EC2 speaks of one kind: prefix, code for malformed and unknown ids, and its noun.
struct Words {
    prefix: &'static str,
    malformed: &'static str,
    not_found: &'static str,
    noun: &'static str,
}

impl Kind {
    fn words(self) -> Words {
        let (prefix, malformed, not_found, noun) = match self {
            Kind::Instance => {
                ("i-", "InvalidInstanceID.Malformed", "InvalidInstanceID.NotFound", "instance ID")
            }
            Kind::Vpc => ("vpc-", "InvalidVpcID.Malformed", "InvalidVpcID.NotFound", "vpc ID"),
            Kind::Subnet => {
                ("subnet-", "InvalidSubnetID.Malformed", "InvalidSubnetID.NotFound", "subnet ID")
            }
            Kind::RouteTable => (
                "rtb-",
                "InvalidRouteTableId.Malformed",
                "InvalidRouteTableID.NotFound",
                "routeTable ID",
            ),
            Kind::Interface => (
                "eni-",
                "InvalidNetworkInterfaceId.Malformed",
                "InvalidNetworkInterfaceID.NotFound",
                "networkInterface ID",
            ),
            Kind::Group => {
                ("sg-", "InvalidGroupId.Malformed", "InvalidGroup.NotFound", "security group")
            }
            Kind::GroupRule => (
                "sgr-",
                "InvalidSecurityGroupRuleId.Malformed",
                "InvalidSecurityGroupRuleId.NotFound",
                "security group rule ID",
            ),
            Kind::Volume => ("vol-", "InvalidParameterValue", "InvalidVolume.NotFound", "volume"),
            Kind::Image => ("ami-", "InvalidAMIID.Malformed", "InvalidAMIID.NotFound", "image id"),
            Kind::Acl => (
                "acl-",
                "InvalidNetworkAclId.Malformed",
                "InvalidNetworkAclID.NotFound",
                "networkAcl ID",
            ),
            Kind::KeyPair => {
                ("key-", "InvalidKeyPairId.Malformed", "InvalidKeyPair.NotFound", "key pair ID")
            }
            Kind::SpotRequest => (
                "sir-",
                "InvalidSpotInstanceRequestID.Malformed",
                "InvalidSpotInstanceRequestID.NotFound",
                "spot instance request ID",
            ),
            Kind::Allocation => (
                "eipalloc-",
                "InvalidParameterValue",
                "InvalidAllocationID.NotFound",
                "allocation ID",
            ),
        };
        Words { prefix, malformed, not_found, noun }
    }

    /// Refuses an id that can't be one of this kind.
    pub(crate) fn check(self, id: &str) -> Result<(), ApiError> {
        let words = self.words();
        let well_formed = id.strip_prefix(words.prefix).is_some_and(|rest| {
            matches!(rest.len(), 8 | 17) && rest.bytes().all(|b| b.is_ascii_hexdigit())
        });
        if well_formed {
            return Ok(());
        }
        let message = match self {
            Kind::Instance => format!("Invalid id: \"{id}\""),
            // So aws-parallelcluster, and cloudavail/aws-missing-tools issue 59.
            Kind::Volume => {
                format!("Value ({id}) for parameter volumes is invalid. Expected: 'vol-...'.")
            }
            Kind::Vpc
            | Kind::Subnet
            | Kind::RouteTable
            | Kind::Interface
            | Kind::Group
            | Kind::GroupRule
            | Kind::Image
            | Kind::Acl
            | Kind::KeyPair
            | Kind::SpotRequest
            | Kind::Allocation => {
                format!("Invalid id: \"{id}\" (expecting \"{}...\")", words.prefix)
            }
        };
        Err(ApiError::new(400, words.malformed, message))
    }

    /// None of these ids is known.
    pub(crate) fn not_found(self, ids: &[&str]) -> ApiError {
        let words = self.words();
        let noun = words.noun;
        let message = match (self, ids) {
            (Kind::Image, ids) => match ids {
                [one] => format!("The image id '[{one}]' does not exist"),
                many => format!("The image ids '[{}]' do not exist", many.join(", ")),
            },
            (_, [one]) => format!("The {noun} '{one}' does not exist"),
            (_, many) => format!("The {noun}s '{}' do not exist", many.join(", ")),
        };
        ApiError::new(400, words.not_found, message)
    }
}
