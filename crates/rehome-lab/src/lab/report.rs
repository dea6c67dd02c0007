//! What the lab tells people and scripts about itself.

use std::fs;

use ec2_model::api::{
    Instance, InstanceNetworkInterface, Page, Request, Response, Route, RouteTable, Select, Subnet,
};

use super::{Lab, Options};
use crate::machine;
use crate::status::{InstanceStatus, RouteStatus, Status, SubnetStatus, TableStatus};
use crate::topology::{HOLDER_NAME, MONITOR_NAME, VIP};

/// Lines of an instance's log that explain why its VIP doesn't answer.
const LOG_TAIL_LINES: usize = 20;

impl Lab {
    /// EC2's view, with the addresses that machines really have.
    pub(super) fn status(&self) -> anyhow::Result<Status> {
        // A copy, in which no zone is in trouble: EC2 refuses to list instances while one is.
        let mut view = self.world.with(|ec2, now| {
            let mut view = ec2.clone();
            for subnet in ec2.plane(now).subnets {
                view.heal(now, &subnet.az);
            }
            view
        });
        let now = view.now();
        let mut ask = |request: &Request| view.operate(now, request);
        let mut status = Status::default();
        if let Response::DescribeVpcs(Page { items, .. }) =
            ask(&Request::DescribeVpcs(Select::default()))?
        {
            status.vpc = items.into_iter().map(|vpc| vpc.vpc_id).next().unwrap_or_default();
        }
        if let Response::DescribeSubnets(Page { items, .. }) =
            ask(&Request::DescribeSubnets(Select::default()))?
        {
            status.subnets = items.into_iter().map(subnet).collect();
            status.subnets.sort_by(|a, b| a.az.cmp(&b.az));
        }
        let plane = self.world.plane();
        if let Response::DescribeRouteTables(Page { items, .. }) =
            ask(&Request::DescribeRouteTables(Select::default()))?
        {
            let served = |id: &str| {
                let table = plane.tables.iter().find(|table| table.id == id);
                table.map(|table| table.subnets.clone()).unwrap_or_default()
            };
            let table = |table: RouteTable| TableStatus {
                subnets: served(&table.route_table_id),
                id: table.route_table_id,
                routes: table.routes.into_iter().map(route).collect(),
            };
            status.route_tables = items.into_iter().map(table).collect();
        }
        if let Response::DescribeInstances(Page { items, .. }) =
            ask(&Request::DescribeInstances(Select::default()))?
        {
            let instances = items.into_iter().flat_map(|reservation| reservation.instances);
            status.instances = instances.map(|found| self.instance(found)).collect();
            status.instances.sort_by(|a, b| (&a.az, &a.id).cmp(&(&b.az, &b.id)));
        }
        Ok(status)
    }

    fn instance(&self, found: Instance) -> InstanceStatus {
        let machine = self.machines.get(&found.instance_id);
        let first: Option<&InstanceNetworkInterface> = found.network_interfaces.first();
        InstanceStatus {
            addresses: machine.and_then(|m| m.addresses().ok()).unwrap_or_default(),
            name: found.tags.iter().find(|tag| tag.key == "Name").map(|tag| tag.value.clone()),
            az: found.placement.availability_zone,
            state: found.state.name().to_owned(),
            private_ip: found.private_ip_address.map(|address| address.to_string()),
            eni: first.map(|interface| interface.network_interface_id.clone()),
            security_groups: first
                .map(|i| i.groups.iter().map(|group| group.group_id.clone()).collect())
                .unwrap_or_default(),
            key_name: found.key_name,
            source_dest_check: first.map(|interface| interface.source_dest_check),
            id: found.instance_id,
        }
    }

    /// What people read when the lab is ready.
    pub(super) fn welcome(&self, options: &Options) -> String {
        let name = &options.name;
        let flag = if name == "default" { String::new() } else { format!(" --lab {name}") };
        let status = self.status().unwrap_or_default();
        let line = |wanted: &str| {
            let found = status.instances.iter().find(|i| i.name.as_deref() == Some(wanted));
            found.map_or_else(String::new, |i| {
                format!("  {wanted:9} {}  {}  {}\n", i.id, i.az, i.addresses.join(" "))
            })
        };
        format!(
            "Lab {name} is up: {} in {} Availability Zones\n{}{}  API       {}\n\
             Try:  rehome lab{flag} exec {MONITOR_NAME} -- ping -c 3 {VIP}\n\
             \x20     rehome lab{flag} status\n\
             \x20     eval \"$(rehome lab{flag} env)\"",
            status.vpc,
            status.subnets.len(),
            line(HOLDER_NAME),
            line(MONITOR_NAME),
            self.endpoint,
        )
    }

    /// Adds to an error what the holder's own log says.
    pub(super) fn explain(&self, error: &anyhow::Error) -> anyhow::Error {
        let mut text = format!("{error:#}");
        for instance in self.status().unwrap_or_default().instances {
            let log = machine::disk(&instance.id).join("var/log/cloud-init-output.log");
            let log = fs::read_to_string(log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n  ");
            let name = instance.name.unwrap_or(instance.id);
            text.push_str(&format!("\n{name} is {}; its log:\n  {tail}", instance.state));
        }
        anyhow::anyhow!(text)
    }
}

fn subnet(subnet: Subnet) -> SubnetStatus {
    SubnetStatus { id: subnet.subnet_id, az: subnet.availability_zone, cidr: subnet.cidr_block }
}

fn route(route: Route) -> RouteStatus {
    RouteStatus {
        destination: route.destination_cidr_block.unwrap_or_default(),
        eni: route.network_interface_id,
        instance: route.instance_id,
        state: route.state,
    }
}
