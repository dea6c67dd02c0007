//! Network ACLs: making and deleting them, their entries, and which subnet has which.
//!
//! Rules: VPC User Guide, "Network ACLs"; EC2 API, the actions; texts from real accounts where
//! they were published.

use crate::{
    api::{
        CreateNetworkAcl, DeleteNetworkAcl, DeleteNetworkAclEntry, NetworkAcl,
        NetworkAclAssociation, NetworkAclEntry, PutNetworkAclEntry, ReplaceNetworkAclAssociation,
        Response,
    },
    cidr::{Cidr, ipv6_block},
    ec2::Ec2,
    error::{ApiError, required, unless_dry},
    groups::{dependent, malformed_block, unknown_protocol},
    ids::Kind,
    tags::tags_for,
};

/// The number of the rule that denies whatever no other matched: `*` in the console.
const LAST_RULE: i64 = 32_767;
/// Entries of one direction that an ACL may have ("Amazon VPC quotas").
const ENTRIES_PER_ACL: usize = 20;

/// How an entry comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Create,
    Replace,
}

impl Ec2 {
    /// A new ACL denies everything (EC2 API, `CreateNetworkAcl`).
    pub(crate) fn create_network_acl(
        &mut self,
        r: &CreateNetworkAcl,
    ) -> Result<Response, ApiError> {
        let vpc = self.known_vpc_id(required(&r.vpc_id, "VpcId")?)?;
        let tags = tags_for(&r.tag_specifications, "network-acl")?;
        unless_dry(r.dry_run)?;
        let id = self.add_acl(&vpc, false);
        let acl = self.world.acls.get_mut(&id).ok_or_else(|| Kind::Acl.not_found(&[&id]))?;
        acl.tags = tags;
        Ok(Response::CreateNetworkAcl(acl.clone()))
    }

    pub(crate) fn delete_network_acl(
        &mut self,
        r: &DeleteNetworkAcl,
    ) -> Result<Response, ApiError> {
        let acl = self.known_acl(&r.network_acl_id)?;
        if acl.default {
            return Err(ApiError::invalid_value(format!(
                "cannot delete default network ACL {}",
                acl.network_acl_id
            )));
        }
        if !acl.associations.is_empty() {
            return Err(dependent(&acl.network_acl_id));
        }
        unless_dry(r.dry_run)?;
        self.world.acls.remove(&r.network_acl_id);
        Ok(Response::Return)
    }

    pub(crate) fn put_acl_entry(
        &mut self,
        r: &PutNetworkAclEntry,
        put: Put,
    ) -> Result<Response, ApiError> {
        let acl = self.known_acl(&r.network_acl_id)?;
        let entry = entry(r)?;
        let same_way = acl.entries.iter().filter(|other| other.egress == entry.egress);
        let there = same_way.clone().any(|other| other.rule_number == entry.rule_number);
        match put {
            Put::Create if there => {
                return Err(ApiError::new(
                    400,
                    "NetworkAclEntryAlreadyExists",
                    format!(
                        "The network acl entry identified by {} already exists.",
                        entry.rule_number
                    ),
                ));
            }
            // The last rule doesn't count.
            Put::Create if same_way.count() > ENTRIES_PER_ACL => {
                return Err(ApiError::new(
                    400,
                    "NetworkAclEntryLimitExceeded",
                    "The maximum number of network acl entries has been reached.",
                ));
            }
            Put::Replace if !there => return Err(no_entry(entry.egress, entry.rule_number)),
            Put::Create | Put::Replace => {}
        }
        unless_dry(r.dry_run)?;
        if let Some(acl) = self.world.acls.get_mut(&r.network_acl_id) {
            let replaced = |e: &NetworkAclEntry| {
                (e.egress, e.rule_number) == (entry.egress, entry.rule_number)
            };
            acl.entries.retain(|e| !replaced(e));
            acl.entries.push(entry);
            sort(&mut acl.entries);
        }
        Ok(Response::Return)
    }

    pub(crate) fn delete_acl_entry(
        &mut self,
        r: &DeleteNetworkAclEntry,
    ) -> Result<Response, ApiError> {
        let acl = self.known_acl(&r.network_acl_id)?;
        let (egress, number) = place(r.egress, r.rule_number)?;
        let named = |e: &NetworkAclEntry| e.egress == egress && e.rule_number == number;
        if !acl.entries.iter().any(named) {
            return Err(no_entry(egress, number));
        }
        unless_dry(r.dry_run)?;
        if let Some(acl) = self.world.acls.get_mut(&r.network_acl_id) {
            acl.entries.retain(|e| !named(e));
        }
        Ok(Response::Return)
    }

    /// Every subnet has exactly one ACL; it gets another, and the association another id.
    pub(crate) fn replace_acl_association(
        &mut self,
        r: &ReplaceNetworkAclAssociation,
    ) -> Result<Response, ApiError> {
        let id = required(&r.association_id, "AssociationId")?;
        let acl = self.known_acl(&r.network_acl_id)?;
        let mut all = self.world.acls.values().flat_map(|acl| &acl.associations);
        let found = all.find(|a| a.network_acl_association_id == id).cloned().ok_or_else(|| {
            ApiError::new(
                400,
                "InvalidAssociationID.NotFound",
                format!("The association ID '{id}' does not exist"),
            )
        })?;
        let subnet = self.world.subnets.get(&found.subnet_id);
        if subnet.is_some_and(|subnet| subnet.vpc != acl.vpc_id) {
            return Err(ApiError::invalid_value(format!(
                "network acl {} and subnet {} belong to different networks",
                acl.network_acl_id, found.subnet_id
            )));
        }
        unless_dry(r.dry_run)?;
        for acl in self.world.acls.values_mut() {
            acl.associations.retain(|a| a.network_acl_association_id != id);
        }
        let made = self.associate_acl(&r.network_acl_id, &found.subnet_id);
        Ok(Response::ReplaceNetworkAclAssociation(made))
    }

    fn known_acl(&self, id: &str) -> Result<&NetworkAcl, ApiError> {
        let id = required(id, "NetworkAclId")?;
        Kind::Acl.check(id)?;
        self.world.acls.get(id).ok_or_else(|| Kind::Acl.not_found(&[id]))
    }

    /// Lets an ACL stand before a subnet; the association's id.
    pub(crate) fn associate_acl(&mut self, acl: &str, subnet: &str) -> String {
        let id = self.generator.id("aclassoc");
        if let Some(acl) = self.world.acls.get_mut(acl) {
            acl.associations.push(NetworkAclAssociation {
                network_acl_association_id: id.clone(),
                network_acl_id: acl.network_acl_id.clone(),
                subnet_id: subnet.to_owned(),
            });
        }
        id
    }

    /// Adds an ACL: a VPC's default one lets everything through both ways (VPC User Guide,
    /// "Default network ACL").
    pub(crate) fn add_acl(&mut self, vpc: &str, default: bool) -> String {
        let id = self.generator.id("acl");
        let entry = |rule_number, rule_action: &str, egress| NetworkAclEntry {
            rule_number,
            protocol: "-1".to_owned(),
            rule_action: rule_action.to_owned(),
            egress,
            cidr_block: Some("0.0.0.0/0".to_owned()),
            ..NetworkAclEntry::default()
        };
        let mut entries = vec![entry(LAST_RULE, "deny", true), entry(LAST_RULE, "deny", false)];
        if default {
            entries.extend([entry(100, "allow", true), entry(100, "allow", false)]);
        }
        sort(&mut entries);
        let acl = NetworkAcl {
            network_acl_id: id.clone(),
            vpc_id: vpc.to_owned(),
            default,
            owner_id: self.account.clone(),
            entries,
            associations: Vec::new(),
            tags: Vec::new(),
        };
        self.world.acls.insert(id.clone(), acl);
        id
    }
}

/// What goes out first, then by number.
fn sort(entries: &mut [NetworkAclEntry]) {
    entries.sort_by_key(|entry| (!entry.egress, entry.rule_number));
}

/// hashicorp/terraform-provider-aws issue 12175 saw this text.
fn no_entry(egress: bool, number: i64) -> ApiError {
    let way = if egress { "egress" } else { "ingress" };
    ApiError::new(
        400,
        "InvalidNetworkAclEntry.NotFound",
        format!("no {way} entry with number {number}"),
    )
}

/// The direction and the number of an entry that callers may touch.
fn place(egress: Option<bool>, number: Option<i64>) -> Result<(bool, i64), ApiError> {
    let number = number.ok_or_else(|| ApiError::missing_parameter("RuleNumber"))?;
    let egress = egress.ok_or_else(|| ApiError::missing_parameter("Egress"))?;
    if !(1..LAST_RULE).contains(&number) {
        return Err(ApiError::invalid_value(format!(
            "Value ({number}) for parameter ruleNumber is invalid. It must be between 1 and 32766."
        )));
    }
    Ok((egress, number))
}

fn entry(r: &PutNetworkAclEntry) -> Result<NetworkAclEntry, ApiError> {
    let (egress, rule_number) = place(r.egress, r.rule_number)?;
    let action = required(&r.rule_action, "RuleAction")?;
    if !["allow", "deny"].contains(&action) {
        return Err(ApiError::invalid_value(format!(
            "Value ({action}) for parameter ruleAction is invalid. Valid values: allow, deny."
        )));
    }
    let protocol = protocol(required(&r.protocol, "Protocol")?)?;
    let is = |numbers: &[&str]| numbers.contains(&protocol.as_str());
    let port_range = if is(&["6", "17"]) { Some(port_range(r.port_range)?) } else { None };
    let icmp_type_code = if is(&["1", "58"]) { Some(icmp(r.icmp_type_code)?) } else { None };
    let (cidr_block, ipv6_cidr_block) = blocks(r)?;
    Ok(NetworkAclEntry {
        rule_number,
        protocol,
        rule_action: action.to_owned(),
        egress,
        cidr_block,
        ipv6_cidr_block,
        icmp_type_code,
        port_range,
    })
}

/// Exactly one block, of either kind, in canonical form.
fn blocks(r: &PutNetworkAclEntry) -> Result<(Option<String>, Option<String>), ApiError> {
    match (&r.cidr_block, &r.ipv6_cidr_block) {
        (Some(text), None) => {
            let block: Cidr = text.parse().map_err(|_| malformed_block(text))?;
            Ok((Some(block.to_string()), None))
        }
        (None, Some(text)) => {
            Ok((None, Some(ipv6_block(text).ok_or_else(|| malformed_block(text))?)))
        }
        (None, None) => Err(ApiError::missing_parameter("cidrBlock or ipv6CidrBlock")),
        (Some(_), Some(_)) => Err(ApiError::invalid_combination(
            "The parameter cidrBlock cannot be used with the parameter ipv6CidrBlock",
        )),
    }
}

/// The number EC2 tells a protocol by.
fn protocol(text: &str) -> Result<String, ApiError> {
    let number = match text.to_ascii_lowercase().as_str() {
        "-1" | "all" => "-1".to_owned(),
        "tcp" => "6".to_owned(),
        "udp" => "17".to_owned(),
        "icmp" => "1".to_owned(),
        other => other.parse::<u8>().map_err(|_| unknown_protocol(text))?.to_string(),
    };
    Ok(number)
}

/// Required for TCP and UDP (EC2 API, `CreateNetworkAclEntry`).
fn port_range(range: Option<(i64, i64)>) -> Result<(i64, i64), ApiError> {
    let (from, to) = range.ok_or_else(|| ApiError::missing_parameter("portRange"))?;
    let ports = 0..=65_535;
    if from > to || !ports.contains(&from) || !ports.contains(&to) {
        return Err(ApiError::invalid_value(format!("Invalid TCP/UDP port range ({from}:{to})")));
    }
    Ok((from, to))
}

/// Required for ICMP (EC2 API, `CreateNetworkAclEntry`).
fn icmp(asked: Option<(i64, i64)>) -> Result<(i64, i64), ApiError> {
    let (kind, code) = asked.ok_or_else(|| ApiError::missing_parameter("icmpTypeCode"))?;
    for (what, number) in [("type", kind), ("code", code)] {
        if !(-1..=255).contains(&number) {
            return Err(ApiError::invalid_value(format!("ICMP {what} ({number}) out of range")));
        }
    }
    Ok((kind, code))
}
