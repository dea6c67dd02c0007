//! Zones, type offerings, key pairs, tags.

use crate::{
    api::{
        AvailabilityZone, DescribeAvailabilityZones, DescribeInstanceTypeOfferings,
        DescribeKeyPairs, InstanceTypeInfo, InstanceTypeOffering, KeyPair, Response, Select, Tag,
        TagDescription,
    },
    ec2::Ec2,
    error::ApiError,
    filter::{Column, Listed, list, one},
    ids::Kind,
    launch::one_of,
    world::{Instance, InstanceType, Interface, RouteTable, Zone},
};

impl Ec2 {
    pub(super) fn describe_zones(
        &self,
        r: &DescribeAvailabilityZones,
    ) -> Result<Response, ApiError> {
        for name in &r.zone_names {
            if !self.world.zones.contains_key(name) {
                return Err(ApiError::invalid_value(format!(
                    "Invalid availability zone: [{name}]"
                )));
            }
        }
        for id in &r.select.ids {
            if !self.world.zones.values().any(|zone| zone.id == *id) {
                return Err(ApiError::invalid_value(format!(
                    "Invalid availability zone-id: [{id}]"
                )));
            }
        }
        let wanted = |name: &String, zone: &Zone| {
            (r.zone_names.is_empty() || r.zone_names.contains(name))
                && (r.select.ids.is_empty() || r.select.ids.contains(&zone.id))
        };
        let zones = self.world.zones.iter().filter(|(name, zone)| wanted(name, zone));
        let items = zones.map(|(name, zone)| self.zone_view(name, zone)).collect();
        let page = list(items, &super::unpaged(&r.select))?;
        Ok(Response::DescribeAvailabilityZones(page.items))
    }

    fn zone_view(&self, name: &str, zone: &Zone) -> AvailabilityZone {
        AvailabilityZone {
            zone_name: name.to_owned(),
            zone_id: zone.id.clone(),
            state: zone.state.clone(),
            region_name: self.region.clone(),
            group_name: format!("{}-zg-1", self.region),
            network_border_group: self.region.clone(),
            opt_in_status: "opt-in-not-required".to_owned(),
            zone_type: "availability-zone".to_owned(),
            messages: zone.messages.clone(),
        }
    }

    pub(super) fn describe_offerings(
        &self,
        r: &DescribeInstanceTypeOfferings,
    ) -> Result<Response, ApiError> {
        let places = ["region", "availability-zone", "availability-zone-id"];
        let by = one_of("LocationType", r.location_type.as_deref(), "region", &places)?;
        let mut items = Vec::new();
        for name in self.world.types.keys() {
            let zones = self.world.zones.iter().filter(|(zone, _)| self.offers(zone, name));
            let mut locations: Vec<String> = match by.as_str() {
                "availability-zone" => zones.map(|(zone, _)| zone.clone()).collect(),
                "availability-zone-id" => zones.map(|(_, zone)| zone.id.clone()).collect(),
                _ => zones.map(|_| self.region.clone()).collect(),
            };
            locations.dedup();
            items.extend(locations.into_iter().map(|location| InstanceTypeOffering {
                instance_type: name.clone(),
                location_type: by.clone(),
                location,
            }));
        }
        Ok(Response::DescribeInstanceTypeOfferings(list(items, &r.select)?))
    }

    pub(super) fn describe_types(&self, select: &Select) -> Result<Response, ApiError> {
        let known = &self.world.types;
        let unknown: Vec<&str> =
            select.ids.iter().map(String::as_str).filter(|id| !known.contains_key(*id)).collect();
        if !unknown.is_empty() {
            return Err(ApiError::new(
                400,
                "InvalidInstanceType",
                format!(
                    "The following supplied instance types do not exist: [{}]",
                    unknown.join(", ")
                ),
            ));
        }
        let wanted = |name: &String| select.ids.is_empty() || select.ids.contains(name);
        let of = |(name, kind): (&String, &InstanceType)| InstanceTypeInfo {
            instance_type: name.clone(),
            burstable: kind.cpu_credits.is_some(),
            architecture: kind.architecture.clone(),
            cores: kind.cores,
            threads_per_core: kind.threads_per_core,
            store_gb: kind.store_gb,
        };
        let items = known.iter().filter(|(name, _)| wanted(name)).map(of).collect();
        Ok(Response::DescribeInstanceTypes(list(items, select)?))
    }

    pub(super) fn describe_key_pairs(&self, r: &DescribeKeyPairs) -> Result<Response, ApiError> {
        let mut items: Vec<KeyPair> = self.world.keys.values().cloned().collect();
        for name in &r.key_names {
            if !self.world.keys.contains_key(name) {
                return Err(ApiError::new(
                    400,
                    "InvalidKeyPair.NotFound",
                    format!("The key pair '{name}' does not exist"),
                ));
            }
        }
        items.retain(|key| r.key_names.is_empty() || r.key_names.contains(&key.key_name));
        let items = super::select_ids(items, &r.select.ids, Kind::KeyPair, |key: &KeyPair| {
            &key.key_pair_id
        })?;
        let page = list(items, &super::unpaged(&r.select))?;
        Ok(Response::DescribeKeyPairs(page.items))
    }

    pub(super) fn describe_tags(&self, select: &Select) -> Result<Response, ApiError> {
        let world = &self.world;
        let instances = world.instances.values().map(|i: &Instance| (&i.id, "instance", &i.tags));
        let interfaces =
            world.interfaces.values().map(|i: &Interface| (&i.id, "network-interface", &i.tags));
        let tables = world.tables.values().map(|t: &RouteTable| (&t.id, "route-table", &t.tags));
        let subnets = world.subnets.values().map(|s| (&s.id, "subnet", &s.tags));
        let vpcs = world.vpcs.values().map(|v| (&v.vpc_id, "vpc", &v.tags));
        let groups = world.groups.values().map(|g| (&g.id, "security-group", &g.tags));
        let rules = world.groups.values().flat_map(|g| &g.rules);
        let rules = rules.map(|r| (&r.id, "security-group-rule", &r.tags));
        let acls = world.acls.values().map(|a| (&a.network_acl_id, "network-acl", &a.tags));
        let volumes = world.volumes.values().map(|v| (&v.volume_id, "volume", &v.tags));
        let images = world.images.values().map(|i| (&i.image_id, "image", &i.tags));
        let everything = instances
            .chain(interfaces)
            .chain(tables)
            .chain(subnets)
            .chain(vpcs)
            .chain(groups)
            .chain(rules)
            .chain(acls)
            .chain(volumes)
            .chain(images);
        let items = everything.flat_map(|(id, kind, tags)| {
            tags.iter().map(|tag| TagDescription {
                key: tag.key.clone(),
                value: tag.value.clone(),
                resource_id: id.clone(),
                resource_type: kind.to_owned(),
            })
        });
        Ok(Response::DescribeTags(list(items.collect(), select)?))
    }
}

impl Listed for AvailabilityZone {
    const ID_SET: &'static str = "zoneIds";
    const COLUMNS: &'static [Column<AvailabilityZone>] = &[
        ("group-name", |z| one(&z.group_name)),
        ("message", |z| z.messages.clone()),
        ("opt-in-status", |z| one(&z.opt_in_status)),
        ("region-name", |z| one(&z.region_name)),
        ("state", |z| one(&z.state)),
        ("zone-id", |z| one(&z.zone_id)),
        ("zone-name", |z| one(&z.zone_name)),
        ("zone-type", |z| one(&z.zone_type)),
    ];

    fn key(&self) -> String {
        self.zone_name.clone()
    }

    fn tags(&self) -> &[Tag] {
        &[]
    }
}

impl Listed for InstanceTypeOffering {
    const ID_SET: &'static str = "instanceTypes";
    const COLUMNS: &'static [Column<InstanceTypeOffering>] =
        &[("instance-type", |o| one(&o.instance_type)), ("location", |o| one(&o.location))];

    fn key(&self) -> String {
        format!("{} {}", self.instance_type, self.location)
    }

    fn tags(&self) -> &[Tag] {
        &[]
    }
}

impl Listed for InstanceTypeInfo {
    const ID_SET: &'static str = "instanceTypes";
    const COLUMNS: &'static [Column<InstanceTypeInfo>] = &[
        ("burstable-performance-supported", |t| one(t.burstable.to_string())),
        ("instance-storage-supported", |t| one((t.store_gb > 0).to_string())),
        ("instance-type", |t| one(&t.instance_type)),
        ("processor-info.supported-architecture", |t| one(&t.architecture)),
    ];

    fn key(&self) -> String {
        self.instance_type.clone()
    }

    fn tags(&self) -> &[Tag] {
        &[]
    }
}

impl Listed for KeyPair {
    const ID_SET: &'static str = "keyPairIds";
    const COLUMNS: &'static [Column<KeyPair>] = &[
        ("fingerprint", |k| one(&k.key_fingerprint)),
        ("key-name", |k| one(&k.key_name)),
        ("key-pair-id", |k| one(&k.key_pair_id)),
    ];

    fn key(&self) -> String {
        self.key_name.clone()
    }

    fn tags(&self) -> &[Tag] {
        &self.tags
    }
}

impl Listed for TagDescription {
    const ID_SET: &'static str = "resources";
    const COLUMNS: &'static [Column<TagDescription>] = &[
        ("key", |t| one(&t.key)),
        ("resource-id", |t| one(&t.resource_id)),
        ("resource-type", |t| one(&t.resource_type)),
        ("value", |t| one(&t.value)),
    ];

    fn key(&self) -> String {
        format!("{} {}", self.resource_id, self.key)
    }

    fn tags(&self) -> &[Tag] {
        &[]
    }
}
