//! The least privilege: which permissions exactly this configuration needs, as IAM statements.
//!
//! [`Scope`] says what the configuration is about, [`Scope::statements`] what that takes. What
//! exists when the policy is printed is named by its ARN, what rehome makes later by the tag that
//! every launch of it carries. Which actions take resources, and of which types, follows AWS's
//! Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;

use crate::names::{InstanceId, InterfaceId, SubnetId, TableId};
use crate::net::Vip;
use crate::policy::FenceMode;
use crate::preflight::{Order, Refusal, Snapshot, Start, is_ours};
use crate::record::Record;
use crate::spec::{LaunchSpec, TAG_PREFIX};
use crate::world::{Caller, Instance};

/// What an action is needed for, which decides where a policy names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// Needs no permission (STS API reference, `GetCallerIdentity`).
    Nothing,
    /// Needed by whoever prints the policy, not by the role that it is for.
    Printing,
    /// A listing, which takes no resource.
    Listing,
    /// A listing that is only made where a key pair was named.
    KeyListing,
    /// A listing that is only made where the holder is in a placement group.
    GroupListing,
    /// A listing that is only made where the holder came from a spot request.
    SpotListing,
    /// A reading of one instance of ours.
    Instance,
    /// A change of a route of the route set.
    Route,
    /// A launch.
    Launch,
    /// A change of an interface of ours.
    Interface,
    /// Ends an instance for a while, with `--fence stop`.
    Stop,
    /// Ends an instance for good.
    Terminate,
    /// A listing that `doctor` makes beside those of `run`. Its trials are requests of `run` with
    /// `DryRun`, which need what the request needs.
    Doctor,
}

/// Every action that rehome calls.
pub const ACTIONS: &[(&str, Need)] = &[
    ("CreateRoute", Need::Route),
    ("DescribeAvailabilityZones", Need::Listing),
    ("DescribeImages", Need::Listing),
    ("DescribeInstanceAttribute", Need::Instance),
    ("DescribeInstanceCreditSpecifications", Need::Listing),
    ("DescribeInstanceStatus", Need::Listing),
    ("DescribeInstanceTypeOfferings", Need::Doctor),
    ("DescribeInstanceTypes", Need::Listing),
    ("DescribeInstances", Need::Listing),
    ("DescribeKeyPairs", Need::KeyListing),
    ("DescribeNetworkAcls", Need::Listing),
    ("DescribeNetworkInterfaces", Need::Listing),
    ("DescribePlacementGroups", Need::GroupListing),
    ("DescribeRouteTables", Need::Listing),
    ("DescribeSecurityGroups", Need::Listing),
    ("DescribeSpotInstanceRequests", Need::SpotListing),
    ("DescribeSubnets", Need::Listing),
    ("DescribeVolumes", Need::Listing),
    ("DescribeVpcs", Need::Listing),
    ("GetCallerIdentity", Need::Nothing),
    ("GetInstanceProfile", Need::Printing),
    ("ModifyNetworkInterfaceAttribute", Need::Interface),
    ("ReplaceRoute", Need::Route),
    ("RunInstances", Need::Launch),
    ("StopInstances", Need::Stop),
    ("TerminateInstances", Need::Terminate),
];

/// ARNs of one statement. A list that is longer becomes several statements, so that policies can be
/// split between them: a managed policy takes 6,144 characters, and an ARN is about 70.
const RESOURCES_MAX: usize = 40;

/// One statement that allows something, in the form of IAM's policy language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    /// Its name in the policy.
    pub sid: String,
    /// Always `Allow`.
    pub effect: &'static str,
    /// What is allowed.
    pub action: Vec<String>,
    /// On what.
    pub resource: Vec<String>,
    /// Operator, key and the values that will do.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub condition: BTreeMap<&'static str, BTreeMap<String, Vec<String>>>,
}

/// An instance without our tag: the one that held the address first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct First {
    /// The instance.
    pub instance: InstanceId,
    /// Its primary interface.
    pub interface: InterfaceId,
    /// Whether EC2 can stop it; a root in an instance store and a spot request it can only end
    /// (EC2 API reference, `StopInstances`).
    pub stops: bool,
}

/// What a configuration is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// The region.
    pub region: String,
    /// The account's number.
    pub account: String,
    /// The address.
    pub vip: Vip,
    /// What happens to an instance that lost the address.
    pub fence: FenceMode,
    /// Whether nothing is ever changed.
    pub observe: bool,
    /// Whether a key pair was named.
    pub names_key: bool,
    /// Whether the holder is in a placement group.
    pub in_group: bool,
    /// Whether the holder came from a spot request.
    pub on_spot: bool,
    /// Instances that are to be watched and ended and don't carry our tag.
    pub firsts: Vec<First>,
    /// The route set.
    pub tables: Vec<TableId>,
    /// Where replacements go.
    pub subnets: Vec<SubnetId>,
    /// What replacements are.
    pub spec: LaunchSpec,
    /// The ARN of the role inside the holder's instance profile.
    pub role: Option<String>,
}

/// Why no policy can be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{arn}` is no ARN, so it doesn't tell the partition")]
pub struct NoPartition {
    /// What the caller is called.
    pub arn: String,
}

impl Scope {
    /// What a configuration that can start is about; `role` is that of the holder's profile.
    ///
    /// # Errors
    /// Where the caller's ARN tells no partition.
    pub fn of(
        order: &Order,
        observe: bool,
        start: &Start,
        snapshot: &Snapshot,
        region: &str,
        role: Option<String>,
    ) -> Result<Scope, NoPartition> {
        let record = &start.record;
        let partition = partition(&snapshot.caller.arn)?;
        let holder = snapshot.instances.get(&record.holder.instance);
        Ok(Scope {
            partition,
            region: region.to_string(),
            account: snapshot.caller.account.clone(),
            vip: order.vip,
            fence: order.fence,
            observe,
            names_key: order.wishes.key.is_some(),
            in_group: holder.is_some_and(|holder| holder.placement.group.is_some()),
            on_spot: holder.is_some_and(|holder| holder.spot_request.is_some()),
            firsts: firsts(order, start, snapshot),
            tables: record.route_set.clone(),
            subnets: start.sites.order.iter().map(|site| site.subnet.clone()).collect(),
            spec: record.spec.clone(),
            role,
        })
    }

    /// The statements: those of `run`, then that of `doctor`.
    #[must_use]
    pub fn statements(&self) -> Vec<Statement> {
        let mut all = alloc::vec![self.listing("Read", &self.listed())];
        all.extend(self.existing());
        all.extend(self.successors());
        if !self.observe {
            all.extend(self.routes());
            all.extend(self.launch());
            all.extend(self.role_to_pass());
            all.extend(self.keys());
        }
        all.push(self.listing("DoctorRead", &self.listed_by_doctor()));
        all.into_iter().flat_map(split).collect()
    }

    /// The service that instances' roles are for. China has a name of its own.
    #[must_use]
    pub fn ec2_principal(&self) -> &'static str {
        if self.partition == "aws-cn" { "ec2.amazonaws.com.cn" } else { "ec2.amazonaws.com" }
    }

    fn listed(&self) -> Vec<Need> {
        let mut needs = alloc::vec![Need::Listing];
        needs.extend(self.names_key.then_some(Need::KeyListing));
        needs.extend(self.in_group.then_some(Need::GroupListing));
        needs.extend(self.on_spot.then_some(Need::SpotListing));
        needs
    }

    /// What `run` doesn't list; a key may come from the holder without being named.
    fn listed_by_doctor(&self) -> Vec<Need> {
        let key = self.spec.key.is_some() && !self.names_key;
        let mut needs = alloc::vec![Need::Doctor];
        needs.extend(key.then_some(Need::KeyListing));
        needs
    }

    /// Listings take no resource: only the region can be named.
    fn listing(&self, sid: &str, needs: &[Need]) -> Statement {
        allow(sid, ec2(needs), ["*".to_string()]).when(
            "StringEquals",
            "aws:RequestedRegion",
            [self.region.as_str()],
        )
    }

    /// The first holder and its interface, by their ARNs.
    fn existing(&self) -> Vec<Statement> {
        if self.firsts.is_empty() {
            return Vec::new();
        }
        let instances = |of: &mut dyn FnMut(&First) -> bool| -> Vec<String> {
            let chosen = self.firsts.iter().filter(|first| of(first));
            chosen.map(|first| self.arn("instance", first.instance.as_str())).collect()
        };
        let interfaces: Vec<String> = self
            .firsts
            .iter()
            .map(|first| self.arn("network-interface", first.interface.as_str()))
            .collect();
        let mut all =
            alloc::vec![allow("FirstHolder", ec2(&[Need::Instance]), instances(&mut |_| true))];
        if self.observe {
            return all;
        }
        all.push(allow("FirstHolderInterface", ec2(&[Need::Interface]), interfaces));
        let (stops, ends) = match self.fence {
            FenceMode::None => (Vec::new(), Vec::new()),
            // What can't be stopped is terminated instead.
            FenceMode::Stop => {
                (instances(&mut |_| true), instances(&mut |first: &First| !first.stops))
            }
            FenceMode::Terminate => (Vec::new(), instances(&mut |_| true)),
        };
        for (sid, need, resources) in
            [("FirstHolderStop", Need::Stop, stops), ("FirstHolderEnd", Need::Terminate, ends)]
        {
            if !resources.is_empty() {
                all.push(allow(sid, ec2(&[need]), resources));
            }
        }
        all
    }

    /// What rehome launched, by its tag. Whatever the fence: a replacement that fails or isn't
    /// needed is terminated.
    fn successors(&self) -> Vec<Statement> {
        let mut needs = alloc::vec![Need::Instance];
        if !self.observe {
            needs.push(Need::Terminate);
            needs.extend((self.fence == FenceMode::Stop).then_some(Need::Stop));
        }
        let tag = format!("aws:ResourceTag/{TAG_PREFIX}vip");
        let vip = self.vip.address.to_string();
        let instances = allow("Successors", ec2(&needs), [self.arn("instance", "*")]);
        let mut all = alloc::vec![instances.when("StringEquals", &tag, [vip.as_str()])];
        if !self.observe {
            let interfaces = [self.arn("network-interface", "*")];
            let statement = allow("SuccessorInterfaces", ec2(&[Need::Interface]), interfaces);
            all.push(statement.when("StringEquals", &tag, [vip.as_str()]));
        }
        all
    }

    fn routes(&self) -> Vec<Statement> {
        let tables = self.tables.iter().map(|table| self.arn("route-table", table.as_str()));
        alloc::vec![allow("Routes", ec2(&[Need::Route]), tables)]
    }

    /// What a launch makes, what it makes it from, and the tags on it.
    fn launch(&self) -> Vec<Statement> {
        let action = || ec2(&[Need::Launch]);
        let tag = format!("aws:RequestTag/{TAG_PREFIX}vip");
        let vip = self.vip.address.to_string();
        let made = ["network-interface", "volume"].map(|kind| self.arn(kind, "*"));
        let mut instance = allow("LaunchInstance", action(), [self.arn("instance", "*")])
            .when("StringEquals", &tag, [vip.as_str()])
            .when("StringEquals", "ec2:InstanceType", [self.spec.instance_type.as_str()]);
        let tokens = self.spec.metadata.as_ref().and_then(|options| options.http_tokens.as_deref());
        if tokens.is_none_or(|tokens| tokens == "required") {
            instance = instance.when("StringEquals", "ec2:MetadataHttpTokens", ["required"]);
        }
        let parts = allow("LaunchParts", action(), made.clone());
        let all_made = [self.arn("instance", "*")].into_iter().chain(made);
        let tags = allow("TagAtLaunch", alloc::vec!["ec2:CreateTags".to_string()], all_made);
        alloc::vec![
            instance,
            parts.when("StringEquals", &tag, [vip.as_str()]),
            allow("LaunchFrom", action(), self.launched_from()),
            tags.when("StringEquals", "ec2:CreateAction", ["RunInstances"]).when(
                "StringEquals",
                &tag,
                [vip.as_str()]
            ),
        ]
    }

    fn launched_from(&self) -> Vec<String> {
        let spec = &self.spec;
        // Images have no account in their ARN, whoever owns them.
        let image = format!("arn:{}:ec2:{}::image/{}", self.partition, self.region, spec.image);
        let mut all = alloc::vec![image];
        all.extend(spec.key.iter().map(|key| self.arn("key-pair", key.as_str())));
        all.extend(spec.groups.iter().map(|group| self.arn("security-group", group.as_str())));
        all.extend(self.subnets.iter().map(|subnet| self.arn("subnet", subnet.as_str())));
        all.extend(spec.placement_group.iter().map(|group| self.arn("placement-group", group)));
        all
    }

    /// The role that a replacement gets with the holder's instance profile (IAM user guide,
    /// "Grant a user permissions to pass a role to an AWS service").
    fn role_to_pass(&self) -> Option<Statement> {
        let role = self.role.clone()?;
        let services: &[&str] = if self.partition == "aws-cn" {
            &["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]
        } else {
            &["ec2.amazonaws.com"]
        };
        let statement = allow("HoldersRole", alloc::vec!["iam:PassRole".to_string()], [role]);
        Some(statement.when("StringEquals", "iam:PassedToService", services.iter().copied()))
    }

    /// The keys of encrypted volumes, only by way of EC2 (EBS user guide, "Requirements for Amazon
    /// EBS encryption", permissions of users).
    fn keys(&self) -> Vec<Statement> {
        let mut keys: Vec<String> = self
            .spec
            .devices
            .iter()
            .filter(|device| device.encrypted)
            .filter_map(|device| device.kms_key.clone())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return Vec::new();
        }
        let mut via = alloc::vec![format!("ec2.{}.amazonaws.com", self.region)];
        if self.partition == "aws-cn" {
            via.push(format!("ec2.{}.amazonaws.com.cn", self.region));
        }
        let via: Vec<&str> = via.iter().map(String::as_str).collect();
        let uses = [
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:GenerateDataKeyWithoutPlaintext",
            "kms:ReEncryptFrom",
            "kms:ReEncryptTo",
        ];
        let uses = uses.iter().map(ToString::to_string).collect();
        let grants = alloc::vec!["kms:CreateGrant".to_string()];
        alloc::vec![
            allow("VolumeKeys", uses, keys.clone()).when(
                "StringEquals",
                "kms:ViaService",
                via.iter().copied()
            ),
            allow("VolumeKeyGrants", grants, keys)
                .when("StringEquals", "kms:ViaService", via)
                .when("Bool", "kms:GrantIsForAWSResource", ["true"]),
        ]
    }

    fn arn(&self, kind: &str, id: &str) -> String {
        format!("arn:{}:ec2:{}:{}:{kind}/{id}", self.partition, self.region, self.account)
    }
}

impl Statement {
    /// With one more condition.
    fn when<'a>(
        mut self,
        operator: &'static str,
        key: &str,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Statement {
        let values = values.into_iter().map(ToString::to_string).collect();
        self.condition.entry(operator).or_default().insert(key.to_string(), values);
        self
    }
}

/// Whether a role that was named can be the one inside the holder's instance profile: there has to
/// be one, and IAM puts into it only roles of its own account (IAM user guide, "Use instance
/// profiles").
///
/// # Errors
/// Why it can't, where it can't.
pub fn fitting_role(role: &str, caller: &Caller, home: &Record) -> Result<(), Refusal> {
    if home.spec.profile.is_none() {
        return Err(Refusal::new(
            format!(
                "{} has no instance profile, so the role {role} is never passed on",
                home.holder.instance
            ),
            "leave --holder-role out",
        ));
    }
    let mut own = caller.arn.split(':').skip(1);
    let mut given = role.split(':').skip(1);
    let (partition, theirs) = (own.next().unwrap_or_default(), given.next().unwrap_or_default());
    let account = given.nth(2).unwrap_or_default();
    if (theirs, account) == (partition, caller.account.as_str()) {
        return Ok(());
    }
    Err(Refusal::new(
        format!(
            "the role {role} is of account {account} in partition {theirs}, the holder of account \
             {} in {partition}",
            caller.account
        ),
        "name the role inside the holder's own instance profile with --holder-role",
    ))
}

/// The name of an instance profile, as IAM is asked for it: what stands after the last slash of
/// its ARN, behind its path (IAM user guide, "IAM identifiers").
#[must_use]
pub fn profile_name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn allow(sid: &str, action: Vec<String>, resources: impl IntoIterator<Item = String>) -> Statement {
    Statement {
        sid: sid.to_string(),
        effect: "Allow",
        action,
        resource: resources.into_iter().collect(),
        condition: BTreeMap::new(),
    }
}

/// EC2's actions for these needs.
fn ec2(needs: &[Need]) -> Vec<String> {
    let wanted = ACTIONS.iter().filter(|(_, need)| needs.contains(need));
    wanted.map(|(name, _)| format!("ec2:{name}")).collect()
}

/// A statement about more resources than one should be about, as several.
fn split(statement: Statement) -> Vec<Statement> {
    let chunks = statement.resource.chunks(RESOURCES_MAX).enumerate();
    chunks
        .map(|(index, resources)| Statement {
            sid: match index {
                0 => statement.sid.clone(),
                more => format!("{}{}", statement.sid, more + 1),
            },
            resource: resources.to_vec(),
            ..statement.clone()
        })
        .collect()
}

/// `arn:PARTITION:…`.
fn partition(arn: &str) -> Result<String, NoPartition> {
    let mut parts = arn.split(':');
    match (parts.next(), parts.next()) {
        (Some("arn"), Some(partition)) if partition.starts_with("aws") => Ok(partition.to_string()),
        (_, _) => Err(NoPartition { arn: arn.to_string() }),
    }
}

/// The holder and the named instance, as far as they still are and don't carry our tag.
fn firsts(order: &Order, start: &Start, snapshot: &Snapshot) -> Vec<First> {
    let mut ids = alloc::vec![&start.record.holder.instance, &order.instance];
    ids.dedup();
    let first = |instance: &Instance| {
        let root = instance.root_device_type.as_deref();
        Some(First {
            instance: instance.id.clone(),
            interface: instance.primary_interface()?.id.clone(),
            stops: root != Some("instance-store") && instance.spot_request.is_none(),
        })
    };
    ids.into_iter()
        .filter_map(|id| snapshot.instances.get(id))
        .filter(|instance| !instance.state.is_ending() && !is_ours(instance, order.vip))
        .filter_map(first)
        .collect()
}

#[cfg(test)]
mod tests;
