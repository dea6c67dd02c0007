//! Tags: `CreateTags`, `DeleteTags`, and the rules every tag obeys.
//!
//! Limits: EC2 User Guide, "Tag your Amazon EC2 resources": 50 tags, keys to 128 and values to
//! 256 characters, `aws:` is AWS's own.

use crate::{
    api::{CreateTags, DeleteTags, Response, Tag, TagSpecification},
    ec2::Ec2,
    error::{ApiError, required_list, unless_dry},
    ids::Kind,
};

const TAG_LIMIT: usize = 50;

impl Ec2 {
    pub(crate) fn create_tags(&mut self, r: &CreateTags) -> Result<Response, ApiError> {
        required_list(&r.resources, "ResourceId")?;
        required_list(&r.tags, "Tag")?;
        for id in &r.resources {
            let in_metadata =
                self.world.instances.get(id).is_some_and(|instance| {
                    instance.spec.metadata.instance_metadata_tags == "enabled"
                });
            check_tags(&r.tags, in_metadata)?;
            let mut after = self.tags_of(id)?.clone();
            merge(&mut after, &r.tags);
            check_count(&after)?;
        }
        unless_dry(r.dry_run)?;
        for id in &r.resources {
            merge(self.tags_of(id)?, &r.tags);
        }
        Ok(Response::Return)
    }

    pub(crate) fn delete_tags(&mut self, r: &DeleteTags) -> Result<Response, ApiError> {
        required_list(&r.resources, "ResourceId")?;
        for id in &r.resources {
            self.tags_of(id)?;
        }
        unless_dry(r.dry_run)?;
        for id in &r.resources {
            let tags = self.tags_of(id)?;
            let named = |tag: &Tag| {
                r.tags.iter().any(|t| {
                    t.key == tag.key && t.value.as_ref().is_none_or(|value| *value == tag.value)
                })
            };
            tags.retain(|tag| tag.key.starts_with("aws:") || !(r.tags.is_empty() || named(tag)));
        }
        Ok(Response::Return)
    }

    /// The tags of whatever has this id.
    pub(crate) fn tags_of(&mut self, id: &str) -> Result<&mut Vec<Tag>, ApiError> {
        let now = self.now;
        let prefix = id.split_once('-').map_or("", |(prefix, _)| prefix);
        let world = &mut self.world;
        let (found, kind) = match prefix {
            "i" => (world.instances.edit(id, now).map(|i| &mut i.tags), Kind::Instance),
            "eni" => (world.interfaces.edit(id, now).map(|i| &mut i.tags), Kind::Interface),
            "rtb" => (world.tables.edit(id, now).map(|t| &mut t.tags), Kind::RouteTable),
            "vol" => (world.volumes.get_mut(id).map(|v| &mut v.tags), Kind::Volume),
            "subnet" => (world.subnets.get_mut(id).map(|s| &mut s.tags), Kind::Subnet),
            "vpc" => (world.vpcs.get_mut(id).map(|v| &mut v.tags), Kind::Vpc),
            "sg" => (world.groups.get_mut(id).map(|g| &mut g.tags), Kind::Group),
            "ami" => (world.images.get_mut(id).map(|i| &mut i.tags), Kind::Image),
            "sgr" => {
                let mut rules = world.groups.values_mut().flat_map(|g| &mut g.rules);
                (rules.find(|rule| rule.id == id).map(|r| &mut r.tags), Kind::GroupRule)
            }
            "acl" => (world.acls.get_mut(id).map(|a| &mut a.tags), Kind::Acl),
            _ => {
                return Err(ApiError::new(400, "InvalidID", format!("The ID '{id}' is not valid")));
            }
        };
        found.ok_or_else(|| kind.not_found(&[id]))
    }
}

/// The tags that a call gives the one thing of `kind` that it makes.
pub(crate) fn tags_for(
    specifications: &[TagSpecification],
    kind: &str,
) -> Result<Vec<Tag>, ApiError> {
    let mut tags = Vec::new();
    for specification in specifications {
        if specification.resource_type != kind {
            return Err(ApiError::invalid_value(format!(
                "'{}' is not a valid taggable resource type for this operation.",
                specification.resource_type
            )));
        }
        check_tags(&specification.tags, false)?;
        merge(&mut tags, &specification.tags);
    }
    Ok(tags)
}

/// Refuses tags that EC2 refuses. `in_metadata`: the instance shows its tags in its metadata,
/// where a key is a path (EC2 User Guide, "Access instance tags in instance metadata").
pub(crate) fn check_tags(tags: &[Tag], in_metadata: bool) -> Result<(), ApiError> {
    check_count(tags)?;
    for (index, Tag { key, value }) in tags.iter().enumerate() {
        // Its words: scylladb/scylla-cluster-tests issue 1532.
        if tags[..index].iter().any(|earlier| earlier.key == *key) {
            let message = format!("Duplicate tag key '{key}' specified.");
            return Err(ApiError::invalid_value(message));
        }
        if key.is_empty() {
            return Err(ApiError::invalid_value("Tag key cannot be empty"));
        }
        if key.starts_with("aws:") {
            return Err(ApiError::invalid_value(
                "Tag keys starting with 'aws:' are reserved for internal use",
            ));
        }
        if key.chars().count() > 128 {
            return Err(ApiError::invalid_value(
                "Tag key exceeds the maximum length of 128 characters",
            ));
        }
        if value.chars().count() > 256 {
            return Err(ApiError::invalid_value(
                "Tag value exceeds the maximum length of 256 characters",
            ));
        }
        let fits_a_path = |c: char| c.is_ascii_alphanumeric() || "-_+=,.@:".contains(c);
        if in_metadata
            && (!key.chars().all(fits_a_path) || [".", "..", "_index"].contains(&key.as_str()))
        {
            return Err(ApiError::invalid_value(format!(
                "'{key}' is not a valid tag key. Tag keys must match pattern \
                 ([0-9a-zA-Z\\-_+=,.@:]{{1,255}}), and must not be a reserved name ('.', '..', \
                 '_index')"
            )));
        }
    }
    Ok(())
}

fn check_count(tags: &[Tag]) -> Result<(), ApiError> {
    if tags.len() <= TAG_LIMIT {
        return Ok(());
    }
    Err(ApiError::new(
        400,
        "TagLimitExceeded",
        "The maximum number of Tags for a resource has been reached.",
    ))
}

/// Sets `new` in `tags`, which stay in the order of their keys.
pub(crate) fn merge(tags: &mut Vec<Tag>, new: &[Tag]) {
    for tag in new {
        match tags.binary_search_by(|old| old.key.cmp(&tag.key)) {
            Ok(at) => tags[at].value.clone_from(&tag.value),
            Err(at) => tags.insert(at, tag.clone()),
        }
    }
}
