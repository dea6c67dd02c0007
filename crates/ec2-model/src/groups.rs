//! Security groups: making and deleting them, authorizing and revoking their rules.
//!
//! Rules: VPC User Guide, "Security groups"; EC2 API, the actions; texts from real accounts where
//! they were published.

mod permission;

use crate::{
    api::{
        ChangeRules, CreateSecurityGroup, CreatedSecurityGroup, DeleteSecurityGroup, Response,
        RevokedRules, Tag,
    },
    ec2::Ec2,
    error::{ApiError, required, unless_dry},
    ids::Kind,
    tags::tags_for,
    world::{Group, Peer, Rule},
};

use permission::Draft;
pub(crate) use permission::{add_peer, malformed_block, unknown_protocol};

/// Rules of one direction that a group may have ("Amazon VPC quotas").
const RULES_PER_GROUP: usize = 60;
/// Characters of a group's name and of its description (EC2 API, `CreateSecurityGroup`).
const TEXT_LIMIT: usize = 255;

/// Which way the traffic goes that a rule is about, as seen from the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Ingress,
    Egress,
}

impl Ec2 {
    pub(crate) fn create_security_group(
        &mut self,
        r: &CreateSecurityGroup,
    ) -> Result<Response, ApiError> {
        let name = required(&r.group_name, "GroupName")?;
        let description = required(&r.description, "GroupDescription")?;
        let vpc = match &r.vpc_id {
            Some(id) => self.known_vpc_id(id)?,
            None => self.default_vpc_of_groups()?,
        };
        check_text("name", name)?;
        check_text("description", description)?;
        if name == "default" {
            return Err(ApiError::invalid_value(
                "Cannot use reserved security group name: default",
            ));
        }
        if name.starts_with("sg-") {
            return Err(ApiError::invalid_value(format!(
                "Value ({name}) for parameter GroupName is invalid. Group names may not be in \
                 the format sg-*"
            )));
        }
        if self.world.groups.values().any(|group| group.vpc == vpc && group.name == name) {
            return Err(ApiError::new(
                400,
                "InvalidGroup.Duplicate",
                format!("The security group '{name}' already exists for VPC '{vpc}'"),
            ));
        }
        let tags = tags_for(&r.tag_specifications, "security-group")?;
        unless_dry(r.dry_run)?;
        let group_id = self.add_group(&vpc, name, description);
        if let Some(group) = self.world.groups.get_mut(&group_id) {
            group.tags.clone_from(&tags);
        }
        let security_group_arn = self.arn("security-group", &group_id);
        let made = CreatedSecurityGroup { group_id, security_group_arn, tags };
        Ok(Response::CreateSecurityGroup(made))
    }

    /// A group that an interface has, or a rule of another group names, stays (EC2 API,
    /// `DeleteSecurityGroup`).
    pub(crate) fn delete_security_group(
        &mut self,
        r: &DeleteSecurityGroup,
    ) -> Result<Response, ApiError> {
        let group = self.group_of(r.group_id.as_deref(), r.group_name.as_deref())?;
        let (id, name) = (group.id.clone(), group.name.clone());
        if name == "default" {
            return Err(ApiError::new(
                400,
                "CannotDelete",
                format!(
                    "the specified group: \"{id}\" name: \"default\" cannot be deleted by a user"
                ),
            ));
        }
        let worn = self.world.interfaces.values().any(|i| i.groups.contains(&id));
        let names_it = |rule: &Rule| rule.peer == Peer::Group(id.clone());
        let mut others = self.world.groups.values().filter(|group| group.id != id);
        if worn || others.any(|group| group.rules.iter().any(names_it)) {
            return Err(dependent(&id));
        }
        unless_dry(r.dry_run)?;
        self.world.groups.remove(&id);
        Ok(Response::DeleteSecurityGroup(id))
    }

    pub(crate) fn authorize(&mut self, r: &ChangeRules, way: Way) -> Result<Response, ApiError> {
        let group = self.group_of(r.group_id.as_deref(), r.group_name.as_deref())?;
        let id = group.id.clone();
        if r.permissions.is_empty() {
            return Err(ApiError::missing_parameter("ipPermissions"));
        }
        let drafts = self.drafts(&r.permissions, &group.vpc)?;
        let there = group.rules.iter().filter(|rule| rule.way() == way);
        for draft in &drafts {
            if there.clone().any(|rule| draft.is_like(rule)) {
                return Err(ApiError::new(
                    400,
                    "InvalidPermission.Duplicate",
                    format!("the specified rule \"{draft}\" already exists"),
                ));
            }
        }
        if there.count() + drafts.len() > RULES_PER_GROUP {
            return Err(ApiError::new(
                400,
                "RulesPerSecurityGroupLimitExceeded",
                "The maximum number of rules per security group has been reached.",
            ));
        }
        let tags = tags_for(&r.tag_specifications, "security-group-rule")?;
        unless_dry(r.dry_run)?;
        let rules: Vec<Rule> =
            drafts.into_iter().map(|draft| self.rule(draft, way, tags.clone())).collect();
        let told = rules.iter().map(|rule| self.rule_view(&id, rule)).collect();
        if let Some(group) = self.world.groups.get_mut(&id) {
            group.rules.extend(rules);
        }
        Ok(Response::AuthorizeSecurityGroup(told))
    }

    /// A permission that no rule is like refuses the call in a default VPC, and is told as unknown
    /// in any other (EC2 API, `RevokeSecurityGroupIngress`).
    pub(crate) fn revoke(&mut self, r: &ChangeRules, way: Way) -> Result<Response, ApiError> {
        let group = self.group_of(r.group_id.as_deref(), r.group_name.as_deref())?;
        let id = group.id.clone();
        let strict = self.world.vpcs.get(&group.vpc).is_none_or(|vpc| vpc.is_default);
        let there: Vec<&Rule> = group.rules.iter().filter(|rule| rule.way() == way).collect();
        let mut going = Vec::new();
        let mut unknown = Vec::new();
        for rule_id in &r.rule_ids {
            Kind::GroupRule.check(rule_id)?;
            let found = there.iter().find(|rule| rule.id == *rule_id);
            going.push(found.ok_or_else(|| Kind::GroupRule.not_found(&[rule_id]))?.id.clone());
        }
        for permission in &r.permissions {
            for draft in self.drafts(core::slice::from_ref(permission), &group.vpc)? {
                match there.iter().find(|rule| draft.is_like(rule)) {
                    Some(rule) => going.push(rule.id.clone()),
                    None if strict => {
                        return Err(ApiError::new(
                            400,
                            "InvalidPermission.NotFound",
                            "The specified rule does not exist in this security group.",
                        ));
                    }
                    None => unknown.push(draft.permission(&self.account)),
                }
            }
        }
        if r.rule_ids.is_empty() && r.permissions.is_empty() {
            return Err(ApiError::missing_parameter("ipPermissions or securityGroupRuleIds"));
        }
        let revoked = there
            .iter()
            .filter(|rule| going.contains(&rule.id))
            .map(|rule| self.rule_view(&id, rule))
            .collect();
        unless_dry(r.dry_run)?;
        if let Some(group) = self.world.groups.get_mut(&id) {
            group.rules.retain(|rule| !going.contains(&rule.id));
        }
        Ok(Response::RevokeSecurityGroup(RevokedRules { revoked, unknown }))
    }

    /// A name means a group of the default VPC.
    fn group_of(&self, id: Option<&str>, name: Option<&str>) -> Result<&Group, ApiError> {
        let id = match (id, name) {
            (Some(id), _) => id.to_owned(),
            (None, Some(name)) => self.group_named(name, &self.default_vpc_of_groups()?)?,
            (None, None) => {
                return Err(ApiError::missing_parameter("groupName or groupId"));
            }
        };
        Kind::Group.check(&id)?;
        self.world.groups.get(&id).ok_or_else(|| Kind::Group.not_found(&[&id]))
    }

    fn default_vpc_of_groups(&self) -> Result<String, ApiError> {
        let default = self.world.vpcs.values().find(|vpc| vpc.is_default);
        default
            .map(|vpc| vpc.vpc_id.clone())
            .ok_or_else(|| ApiError::new(400, "VPCIdNotSpecified", "No default VPC for this user"))
    }

    pub(crate) fn known_vpc_id(&self, id: &str) -> Result<String, ApiError> {
        Kind::Vpc.check(id)?;
        let known = self.world.vpcs.contains_key(id);
        if known { Ok(id.to_owned()) } else { Err(Kind::Vpc.not_found(&[id])) }
    }

    fn rule(&mut self, draft: Draft, way: Way, tags: Vec<Tag>) -> Rule {
        Rule {
            id: self.generator.id("sgr"),
            egress: way == Way::Egress,
            protocol: draft.protocol,
            ports: draft.ports,
            peer: draft.peer,
            description: draft.description,
            tags,
        }
    }

    /// A group that lets everything out and nothing in (VPC User Guide, "Security groups").
    pub(crate) fn add_group(&mut self, vpc: &str, name: &str, description: &str) -> String {
        let id = self.generator.id("sg");
        let everything = Draft::everything(Peer::Ipv4(crate::cidr::EVERYWHERE));
        let group = Group {
            id: id.clone(),
            name: name.to_owned(),
            description: description.to_owned(),
            vpc: vpc.to_owned(),
            rules: vec![self.rule(everything, Way::Egress, Vec::new())],
            tags: Vec::new(),
        };
        self.world.groups.insert(id.clone(), group);
        id
    }

    /// A group that admits all that its own members send: a VPC's default one (VPC User Guide,
    /// "Default security groups").
    pub(crate) fn add_default_group(&mut self, vpc: &str) {
        let id = self.add_group(vpc, "default", "default VPC security group");
        let own = self.rule(Draft::everything(Peer::Group(id.clone())), Way::Ingress, Vec::new());
        if let Some(group) = self.world.groups.get_mut(&id) {
            group.rules.push(own);
        }
    }

    /// The ARN of one of the account's things.
    pub(crate) fn arn(&self, kind: &str, id: &str) -> String {
        format!("arn:aws:ec2:{}:{}:{kind}/{id}", self.region, self.account)
    }
}

impl Rule {
    pub(crate) fn way(&self) -> Way {
        if self.egress { Way::Egress } else { Way::Ingress }
    }
}

/// What EC2 says of a thing that others need.
pub(crate) fn dependent(id: &str) -> ApiError {
    ApiError::new(400, "DependencyViolation", format!("resource {id} has a dependent object"))
}

/// Letters, digits, spaces and a few signs (EC2 API, `CreateSecurityGroup`).
fn check_text(what: &str, text: &str) -> Result<(), ApiError> {
    let signs = "._-:/()#,@[]+=&;{}!$* ";
    if !text.is_ascii() {
        return Err(ApiError::invalid_value(format!(
            "Value ({text}) for parameter {what} is invalid. Character sets beyond ASCII are not \
             supported."
        )));
    }
    let fits = text.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c));
    if !fits || text.len() > TEXT_LIMIT {
        return Err(ApiError::invalid_value(format!(
            "Invalid security group {what}. Valid {what}s are strings less than 256 characters \
             from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{{}}!$*"
        )));
    }
    Ok(())
}
