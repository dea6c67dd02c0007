//! What an instance is to be: image, type, key and options, with EC2's defaults.

use crate::{
    api::{
        CpuOptions, Image, MetadataOptions, MetadataOptionsSpec, PrivateDnsNameOptions,
        ProfileSpec, RunInstances,
    },
    base64,
    ec2::Ec2,
    error::ApiError,
    ids::Kind,
    world::{InstanceType, Spec},
};

/// The type EC2 takes when none is given (EC2 API, `RunInstances`).
const DEFAULT_TYPE: &str = "m1.small";

/// User data is at most 16 KB "in raw form, before it is base64-encoded" (EC2 User Guide, "Run
/// commands at launch").
const USER_DATA_LIMIT: usize = 16_384;

impl Ec2 {
    pub(super) fn spec(&self, r: &RunInstances) -> Result<Spec, ApiError> {
        let image = self.known_image(&r.image_id)?;
        let type_name = r.instance_type.as_deref().unwrap_or(DEFAULT_TYPE);
        let kind = self.known_type(type_name)?;
        self.check_spec(r, image, kind)?;
        let placement = r.placement.clone().unwrap_or_default();
        let cpu = r.cpu_options.clone().unwrap_or_default();
        Ok(Spec {
            image: image.image_id.clone(),
            architecture: image.architecture.clone(),
            root_device_type: image.root_device_type.clone(),
            root_device_name: image.root_device_name.clone(),
            instance_type: type_name.to_owned(),
            key: r.key_name.clone(),
            user_data: user_data(r.user_data.as_deref())?,
            profile: r.iam_instance_profile.as_ref().map(|p| self.profile_named(p)).transpose()?,
            ebs_optimized: r.ebs_optimized.unwrap_or(false),
            monitoring: r.monitoring.unwrap_or(false),
            metadata: metadata(image, r.metadata_options.as_ref())?,
            cpu: CpuOptions {
                core_count: cpu.core_count.or(Some(kind.cores)),
                threads_per_core: cpu.threads_per_core.or(Some(kind.threads_per_core)),
                amd_sev_snp: cpu.amd_sev_snp,
            },
            cpu_credits: cpu_credits(type_name, kind, r.cpu_credits.as_deref())?,
            shutdown_behavior: shutdown_behavior(image, r)?,
            disable_api_termination: r.disable_api_termination.unwrap_or(false),
            disable_api_stop: r.disable_api_stop.unwrap_or(false),
            ena_support: image.ena_support,
            tenancy: placement.tenancy.unwrap_or_else(|| "default".to_owned()),
            placement_group: placement.group_name.unwrap_or_default(),
            partition: placement.partition_number,
            host_id: placement.host_id,
            affinity: placement.affinity,
            spot_kind: one_of(
                "SpotInstanceType",
                r.spot_instance_type.as_deref(),
                "one-time",
                &["one-time", "persistent"],
            )?,
            spot: one_of("MarketType", r.market_type.as_deref(), "", &["spot"])? == "spot",
            auto_recovery: one_of(
                "AutoRecovery",
                r.auto_recovery.as_deref(),
                "default",
                &["default", "disabled"],
            )?,
            dns: PrivateDnsNameOptions {
                hostname_type: one_of(
                    "HostnameType",
                    r.hostname_type.as_deref(),
                    "ip-name",
                    &["ip-name", "resource-name"],
                )?,
                enable_resource_name_dns_a_record: r.resource_name_dns_a_record.unwrap_or(false),
                enable_resource_name_dns_aaaa_record: r
                    .resource_name_dns_aaaa_record
                    .unwrap_or(false),
            },
        })
    }

    fn check_spec(
        &self,
        r: &RunInstances,
        image: &Image,
        kind: &InstanceType,
    ) -> Result<(), ApiError> {
        if kind.architecture != image.architecture {
            return Err(ApiError::invalid_value(format!(
                "The architecture '{}' of the specified instance type does not match the \
                 architecture '{}' of the specified AMI. Specify an instance type and an AMI \
                 that have matching architectures, and try again.",
                kind.architecture, image.architecture
            )));
        }
        if let Some(key) = r.key_name.as_ref().filter(|key| !self.world.keys.contains_key(*key)) {
            return Err(ApiError::new(
                400,
                "InvalidKeyPair.NotFound",
                format!("The key pair '{key}' does not exist"),
            ));
        }
        if let Some(zone) = r.placement.as_ref().and_then(|p| p.availability_zone.as_ref())
            && !self.world.zones.contains_key(zone)
        {
            return Err(ApiError::invalid_value(format!("Invalid availability zone: [{zone}]")));
        }
        Ok(())
    }

    pub(crate) fn known_image(&self, id: &str) -> Result<&Image, ApiError> {
        Kind::Image.check(id)?;
        let known = self.world.images.get(id).filter(|image| image.state == "available");
        known.ok_or_else(|| Kind::Image.not_found(&[id]))
    }

    pub(crate) fn known_type(&self, name: &str) -> Result<&InstanceType, ApiError> {
        let unknown =
            || ApiError::invalid_value(format!("Invalid value '{name}' for InstanceType."));
        self.world.types.get(name).ok_or_else(unknown)
    }

    fn profile_named(&self, spec: &ProfileSpec) -> Result<String, ApiError> {
        let invalid = |field: &str, value: &str, noun: &str| {
            ApiError::invalid_value(format!(
                "Value ({value}) for parameter iamInstanceProfile.{field} is invalid. Invalid \
                 IAM Instance Profile {noun}"
            ))
        };
        match (&spec.arn, &spec.name) {
            (Some(_), Some(_)) => Err(ApiError::invalid_combination(
                "The parameter 'iamInstanceProfile.name' may not be used in combination with \
                 'iamInstanceProfile.arn'",
            )),
            (Some(arn), None) => {
                let mut profiles = self.world.profiles.iter();
                let found = profiles.find(|(_, profile)| profile.profile.arn == *arn);
                found.map(|(name, _)| name.clone()).ok_or_else(|| invalid("arn", arn, "ARN"))
            }
            (None, Some(name)) if self.world.profiles.contains_key(name) => Ok(name.clone()),
            (None, Some(name)) => Err(invalid("name", name, "name")),
            (None, None) => Err(ApiError::missing_parameter("IamInstanceProfile.Name")),
        }
    }
}

/// The bytes of user data; empty text counts as none.
pub(crate) fn user_data(text: Option<&str>) -> Result<Option<Vec<u8>>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let malformed =
        || ApiError::new(400, "InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.");
    let bytes = base64::decode(text).ok_or_else(malformed)?;
    if bytes.len() > USER_DATA_LIMIT {
        return Err(ApiError::invalid_value(format!(
            "User data is limited to {USER_DATA_LIMIT} bytes"
        )));
    }
    Ok(Some(bytes))
}

/// An option that takes one of few values.
pub(crate) fn one_of(
    parameter: &str,
    value: Option<&str>,
    default: &str,
    accepted: &[&str],
) -> Result<String, ApiError> {
    match value {
        None => Ok(default.to_owned()),
        Some(value) if accepted.contains(&value) => Ok(value.to_owned()),
        Some(value) => Err(ApiError::invalid_value(format!(
            "Value ({value}) for parameter {parameter} is invalid. Valid values: {}.",
            accepted.join(", ")
        ))),
    }
}

/// An image that says so makes session tokens required and lets containers reach them (EC2 User
/// Guide, "Configure the instance metadata options": order of precedence).
fn metadata(
    image: &Image,
    spec: Option<&MetadataOptionsSpec>,
) -> Result<MetadataOptions, ApiError> {
    let v2 = image.imds_support.as_deref() == Some("v2.0");
    let spec = spec.cloned().unwrap_or_default();
    let tokens = if v2 { "required" } else { "optional" };
    let switch = ["enabled", "disabled"];
    let hop_limit = spec.http_put_response_hop_limit.unwrap_or(if v2 { 2 } else { 1 });
    if !(1..=64).contains(&hop_limit) {
        return Err(ApiError::invalid_value(format!(
            "Value ({hop_limit}) for parameter HttpPutResponseHopLimit is invalid. Expecting a \
             number from 1 to 64."
        )));
    }
    Ok(MetadataOptions {
        state: "applied".to_owned(),
        http_tokens: one_of(
            "HttpTokens",
            spec.http_tokens.as_deref(),
            tokens,
            &["optional", "required"],
        )?,
        http_put_response_hop_limit: hop_limit,
        http_endpoint: one_of("HttpEndpoint", spec.http_endpoint.as_deref(), "enabled", &switch)?,
        http_protocol_ipv6: one_of(
            "HttpProtocolIpv6",
            spec.http_protocol_ipv6.as_deref(),
            "disabled",
            &switch,
        )?,
        instance_metadata_tags: one_of(
            "InstanceMetadataTags",
            spec.instance_metadata_tags.as_deref(),
            "disabled",
            &switch,
        )?,
    })
}

fn cpu_credits(
    name: &str,
    kind: &InstanceType,
    asked: Option<&str>,
) -> Result<Option<String>, ApiError> {
    match (&kind.cpu_credits, asked) {
        (Some(default), asked) => {
            one_of("CpuCredits", asked, default, &["standard", "unlimited"]).map(Some)
        }
        (None, None) => Ok(None),
        (None, Some(_)) => Err(ApiError::invalid_combination(format!(
            "The instance type {name} does not support a credit specification."
        ))),
    }
}

fn shutdown_behavior(image: &Image, r: &RunInstances) -> Result<String, ApiError> {
    let asked = r.instance_initiated_shutdown_behavior.as_deref();
    if image.root_device_type == "instance-store" {
        return match asked {
            None | Some("terminate") => Ok("terminate".to_owned()),
            Some(_) => Err(ApiError::invalid_combination(
                "The attribute instanceInitiatedShutdownBehavior can only be used for elastic \
                 images.",
            )),
        };
    }
    one_of("InstanceInitiatedShutdownBehavior", asked, "stop", &["stop", "terminate"])
}
