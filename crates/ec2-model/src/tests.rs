//! Tests of the whole account, on the mission's picture: three zones, a VPC, two machines.

mod acls;
mod arranged;
mod consistency;
mod describes;
mod groups;
mod launches;
mod lives;
mod properties;
mod routing;
mod trouble;

use std::collections::BTreeMap;

use crate::{
    ApiError, Caller, Ec2, ImageSetup, Pace, Request, Response, Time,
    api::{
        Filter, Instance, InstanceState, InstanceStatus, Reservation, Route, RouteSpec,
        RunInstances, Select, StopInstances, Tag, TagSpecification, TerminateInstances,
    },
};

/// The mission's account and who calls it.
#[derive(Clone)]
struct Lab {
    ec2: Ec2,
    now: Time,
    caller: Caller,
    /// Subnet ids by zone letter.
    subnets: BTreeMap<char, String>,
    vpc: String,
    table: String,
    image: String,
    /// `vip-a`, in zone a.
    holder: String,
}

impl Lab {
    fn new(pace: Pace) -> Lab {
        Lab::with_seed(pace, 1)
    }

    fn with_seed(pace: Pace, seed: u64) -> Lab {
        let mut ec2 = Ec2::new(pace, seed);
        let vpc = ec2.create_vpc("172.31.0.0/16".parse().unwrap(), true);
        let mut subnets = BTreeMap::new();
        for (zone, block) in [('a', 48), ('b', 32), ('c', 16)] {
            let name = format!("eu-west-1{zone}");
            ec2.create_zone(&name, &format!("euw1-az{zone}"));
            let cidr = format!("172.31.{block}.0/20").parse().unwrap();
            subnets.insert(zone, ec2.create_subnet(&vpc, &name, cidr).unwrap());
        }
        let image = ec2.register_image(&ImageSetup::default());
        ec2.create_key_pair("key");
        ec2.create_instance_profile("monitor", "rehome");
        let table = ec2.main_table(&vpc).unwrap().to_owned();
        let mut lab = Lab {
            caller: Caller::user(ec2.account(), "alice"),
            now: Time::ZERO,
            holder: String::new(),
            ec2,
            subnets,
            vpc,
            table,
            image,
        };
        let launch = RunInstances {
            private_ip_address: Some("172.31.48.10".into()),
            tag_specifications: vec![TagSpecification {
                resource_type: "instance".into(),
                tags: vec![tag("Name", "vip-a")],
            }],
            ..lab.launch('a')
        };
        lab.holder = lab.ec2.place(lab.now, &launch).unwrap().remove(0);
        lab
    }

    fn call(&mut self, request: &Request) -> Result<Response, ApiError> {
        self.ec2.call(self.now, &self.caller, request)
    }

    fn wait(&mut self, ms: u64) {
        self.now = self.now.plus(ms);
        self.ec2.advance(self.now);
    }

    /// A plain launch into a zone.
    fn launch(&self, zone: char) -> RunInstances {
        RunInstances {
            image_id: self.image.clone(),
            instance_type: Some("t3.micro".into()),
            min_count: Some(1),
            max_count: Some(1),
            key_name: Some("key".into()),
            subnet_id: Some(self.subnets[&zone].clone()),
            ..RunInstances::default()
        }
    }

    fn try_run(&mut self, launch: &RunInstances) -> Result<Reservation, ApiError> {
        let Response::RunInstances(made) =
            self.call(&Request::RunInstances(Box::new(launch.clone())))?
        else {
            panic!("another answer");
        };
        Ok(made)
    }

    fn run(&mut self, zone: char) -> String {
        let launch = self.launch(zone);
        self.try_run(&launch).unwrap().instances.remove(0).instance_id
    }

    fn stop(&mut self, id: &str) -> Result<Response, ApiError> {
        self.call(&Request::StopInstances(StopInstances {
            instance_ids: vec![id.into()],
            ..StopInstances::default()
        }))
    }

    fn terminate(&mut self, ids: &[&str]) -> Result<Response, ApiError> {
        self.call(&Request::TerminateInstances(TerminateInstances {
            instance_ids: ids.iter().map(ToString::to_string).collect(),
            ..TerminateInstances::default()
        }))
    }

    fn instances(&mut self, select: Select) -> Result<Vec<Instance>, ApiError> {
        let Response::DescribeInstances(page) = self.call(&Request::DescribeInstances(select))?
        else {
            panic!("another answer");
        };
        Ok(page.items.into_iter().flat_map(|r| r.instances).collect())
    }

    fn instance(&mut self, id: &str) -> Instance {
        self.instances(by_id(id)).unwrap().remove(0)
    }

    fn state(&mut self, id: &str) -> InstanceState {
        self.instance(id).state
    }

    fn status(&mut self, id: &str) -> InstanceStatus {
        let select = by_id(id);
        let request = crate::api::DescribeInstanceStatus { select, include_all_instances: true };
        let Response::DescribeInstanceStatus(mut page) =
            self.call(&Request::DescribeInstanceStatus(request)).unwrap()
        else {
            panic!("another answer");
        };
        page.items.remove(0)
    }

    fn eni(&self, id: &str) -> String {
        self.ec2.instance(id).unwrap().network_interfaces[0].network_interface_id.clone()
    }

    fn route_to(&self, destination: &str, eni: &str) -> RouteSpec {
        RouteSpec {
            route_table_id: self.table.clone(),
            destination_cidr_block: Some(destination.into()),
            network_interface_id: Some(eni.into()),
            ..RouteSpec::default()
        }
    }

    fn routes(&mut self) -> Vec<Route> {
        let select = by_id(&self.table.clone());
        let Response::DescribeRouteTables(mut page) =
            self.call(&Request::DescribeRouteTables(select)).unwrap()
        else {
            panic!("another answer");
        };
        page.items.remove(0).routes
    }

    fn route(&mut self, destination: &str) -> Option<Route> {
        let wanted = Some(destination.to_owned());
        self.routes().into_iter().find(|route| route.destination_cidr_block == wanted)
    }

    fn free_addresses(&mut self, zone: char) -> u32 {
        let select = by_id(&self.subnets[&zone].clone());
        let Response::DescribeSubnets(page) = self.call(&Request::DescribeSubnets(select)).unwrap()
        else {
            panic!("another answer");
        };
        page.items[0].available_ip_address_count
    }
}

fn by_id(id: &str) -> Select {
    Select { ids: vec![id.into()], ..Select::default() }
}

fn filter(name: &str, values: &[&str]) -> Select {
    let values = values.iter().map(ToString::to_string).collect();
    Select { filters: vec![Filter { name: name.into(), values }], ..Select::default() }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.into(), value: value.into() }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, ApiError>, code: &str, status: u16) -> String {
    let error = answer.unwrap_err();
    assert_eq!((error.code.as_str(), error.status), (code, status), "{}", error.message);
    error.message
}
