//! What the account holds beside machines: Elastic IPs and spot requests.

use crate::{
    api::{Address, Page, Response, Select, SpotInstanceRequest, Tag},
    ec2::Ec2,
    error::ApiError,
    filter::{Column, Listed, list, maybe, one},
    ids::Kind,
    world::Interface,
};

impl Ec2 {
    /// By allocation or by address, all without either.
    pub(super) fn describe_addresses(&self, select: &Select) -> Result<Response, ApiError> {
        let all: Vec<Address> =
            self.world.interfaces.values().filter_map(|i| self.address_view(i)).collect();
        let mut named = Vec::new();
        for id in &select.ids {
            let found = all.iter().find(|one| one.allocation_id == *id || one.public_ip == *id);
            named.push(found.cloned().ok_or_else(|| unknown_address(id))?);
        }
        let items = if select.ids.is_empty() { all } else { named };
        let Page { items, .. } = list(items, &super::unpaged(select))?;
        Ok(Response::DescribeAddresses(items))
    }

    fn address_view(&self, interface: &Interface) -> Option<Address> {
        let elastic = interface.elastic_ip.as_ref()?;
        Some(Address {
            public_ip: interface.public_ip?.to_string(),
            allocation_id: elastic.allocation.clone(),
            association_id: elastic.association.clone(),
            instance_id: interface.attachment.as_ref().map(|a| a.instance.clone()),
            network_interface_id: interface.id.clone(),
            network_interface_owner_id: self.account.clone(),
            private_ip_address: interface.ip.to_string(),
            network_border_group: self.region.clone(),
        })
    }

    /// Each launch on the spot market has one, by which its instance is told apart. There is no
    /// market: nothing interrupts, and a persistent request launches nothing again.
    pub(super) fn describe_spot_requests(&self, select: &Select) -> Result<Response, ApiError> {
        let of = |instance: &crate::world::Instance| {
            let (state, status) = if instance.is_ending() {
                ("closed", "instance-terminated-by-user")
            } else {
                ("active", "fulfilled")
            };
            Some(SpotInstanceRequest {
                spot_instance_request_id: instance.spot_request.clone()?,
                kind: instance.spec.spot_kind.clone(),
                state: state.to_owned(),
                status: status.to_owned(),
                instance_id: instance.id.clone(),
                launched_availability_zone: instance.zone.clone(),
                create_time: self.timestamp(instance.created),
            })
        };
        let items = self.world.instances.values().filter_map(of).collect();
        let page = super::tell(items, select, Kind::SpotRequest, |r: &SpotInstanceRequest| {
            &r.spot_instance_request_id
        })?;
        Ok(Response::DescribeSpotInstanceRequests(page))
    }
}

fn unknown_address(id: &str) -> ApiError {
    if id.starts_with("eipalloc-") {
        return Kind::Allocation.not_found(&[id]);
    }
    ApiError::new(400, "InvalidAddress.NotFound", format!("Address '{id}' not found."))
}

impl Listed for Address {
    const ID_SET: &'static str = "allocationIds";
    const COLUMNS: &'static [Column<Address>] = &[
        ("allocation-id", |a| one(&a.allocation_id)),
        ("association-id", |a| one(&a.association_id)),
        ("instance-id", |a| maybe(a.instance_id.as_ref())),
        ("network-border-group", |a| one(&a.network_border_group)),
        ("network-interface-id", |a| one(&a.network_interface_id)),
        ("network-interface-owner-id", |a| one(&a.network_interface_owner_id)),
        ("private-ip-address", |a| one(&a.private_ip_address)),
        ("public-ip", |a| one(&a.public_ip)),
    ];

    fn key(&self) -> String {
        self.allocation_id.clone()
    }

    fn tags(&self) -> &[Tag] {
        &[]
    }
}

impl Listed for SpotInstanceRequest {
    const ID_SET: &'static str = "spotInstanceRequestIdSet";
    const COLUMNS: &'static [Column<SpotInstanceRequest>] = &[
        ("create-time", |r| one(r.create_time)),
        ("instance-id", |r| one(&r.instance_id)),
        ("launched-availability-zone", |r| one(&r.launched_availability_zone)),
        ("spot-instance-request-id", |r| one(&r.spot_instance_request_id)),
        ("state", |r| one(&r.state)),
        ("status-code", |r| one(&r.status)),
        ("type", |r| one(&r.kind)),
    ];

    fn key(&self) -> String {
        self.spot_instance_request_id.clone()
    }

    fn tags(&self) -> &[Tag] {
        &[]
    }
}
