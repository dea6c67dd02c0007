//! Reading everything that a start is judged by, as `rehome`'s own survey does.

use std::collections::{BTreeMap, BTreeSet};

use ec2_model::api as ec2;
use ec2_model::{Request, Response};
use rehome_core::fault::CallError;
use rehome_core::names::{InstanceId, VpcId};
use rehome_core::net::Cidr;
use rehome_core::preflight::{Order, Snapshot, targets, telling, vpc};
use rehome_core::record::Record;
use rehome_core::spec::Parts;
use rehome_core::world::{self, Instance};

use super::calls::{Api, filter, items, select};
use super::convert;

impl Api<'_> {
    /// Reads the account as it concerns `order`; `own` is the instance that the process runs on.
    pub(crate) fn survey(
        &mut self,
        order: &Order,
        known: Option<&Record>,
        own: Option<&InstanceId>,
    ) -> Result<Snapshot, CallError> {
        let caller = self.caller()?;
        let mut instances = BTreeMap::new();
        let remembered = known.map(|record| &record.holder.instance);
        let ids: BTreeSet<InstanceId> =
            [Some(&order.instance), own, remembered].into_iter().flatten().cloned().collect();
        self.read(ids, &mut instances)?;
        let address = order.vip.address.to_string();
        let tagged = self.filtered(vec![filter("tag:rehome:vip", [&address])])?;
        instances.extend(tagged.into_iter().map(|instance| (instance.id.clone(), instance)));
        let vpc = vpc(order, known, &instances);
        let mut snapshot = Snapshot {
            caller,
            vpc: vpc.clone(),
            vpc_cidrs: Vec::new(),
            instances,
            subnets: Vec::new(),
            zones: self.zones()?,
            tables: Vec::new(),
            groups: Vec::new(),
            key_exists: true,
            parts: Parts::default(),
            own_instance: own.cloned(),
        };
        if let Some(vpc) = &vpc {
            snapshot.vpc_cidrs = self.vpc_cidrs(vpc)?;
            snapshot.subnets = self.subnets(vpc)?;
            snapshot.tables = self.tables(vpc.as_str())?;
            let targets = targets(&snapshot.tables, order);
            self.read(targets, &mut snapshot.instances)?;
        }
        let holder = telling(order, known, &snapshot.instances, &snapshot.tables).cloned();
        if let Some(holder) = &holder {
            snapshot.parts = self.parts(holder)?;
        }
        Ok(snapshot)
    }

    fn caller(&mut self) -> Result<world::Caller, CallError> {
        let answer = self.ask(&Request::GetCallerIdentity)?;
        let (mut account, mut arn) = (String::new(), String::new());
        if let Response::GetCallerIdentity(identity) = answer {
            (account, arn) = (identity.account, identity.arn);
        }
        Ok(world::Caller { account, arn })
    }

    fn read(
        &mut self,
        ids: BTreeSet<InstanceId>,
        into: &mut BTreeMap<InstanceId, Instance>,
    ) -> Result<(), CallError> {
        let missing: Vec<String> =
            ids.iter().filter(|id| !into.contains_key(id)).map(ToString::to_string).collect();
        let found = self.instances(missing)?;
        into.extend(found.into_iter().map(|instance| (instance.id.clone(), instance)));
        Ok(())
    }

    pub(super) fn zones(&mut self) -> Result<Vec<world::Zone>, CallError> {
        let request = Request::DescribeAvailabilityZones(ec2::DescribeAvailabilityZones::default());
        let answer = self.ask(&request)?;
        let zones = if let Response::DescribeAvailabilityZones(zones) = answer {
            zones
        } else {
            Vec::new()
        };
        Ok(zones.iter().filter_map(convert::zone).collect())
    }

    fn vpc_cidrs(&mut self, vpc: &VpcId) -> Result<Vec<Cidr>, CallError> {
        let by_id = ec2::Select { ids: vec![vpc.to_string()], ..ec2::Select::default() };
        let answer = self.ask(&Request::DescribeVpcs(by_id))?;
        Ok(items!(answer, DescribeVpcs).iter().filter_map(|v| v.cidr_block.parse().ok()).collect())
    }

    fn subnets(&mut self, vpc: &VpcId) -> Result<Vec<world::Subnet>, CallError> {
        let request = Request::DescribeSubnets(select(vec![filter("vpc-id", [vpc])], None));
        let answer = self.ask(&request)?;
        Ok(items!(answer, DescribeSubnets).iter().filter_map(convert::subnet).collect())
    }

    fn parts(&mut self, holder: &Instance) -> Result<Parts, CallError> {
        let mut parts = Parts::default();
        if let Some(image) = &holder.image {
            let by_id = ec2::Select { ids: vec![image.to_string()], ..ec2::Select::default() };
            let request = ec2::DescribeImages { select: by_id, owners: Vec::new() };
            match self.ask(&Request::DescribeImages(request)) {
                Ok(answer) => {
                    parts.image = items!(answer, DescribeImages).iter().find_map(convert::image);
                }
                Err(CallError::Refused { code, .. }) if code.starts_with("InvalidAMIID") => {}
                Err(error) => return Err(error),
            }
        }
        if !holder.volumes.is_empty() {
            let ids = holder.volumes.iter().map(|attached| &attached.volume);
            let request = Request::DescribeVolumes(select(vec![filter("volume-id", ids)], None));
            let answer = self.ask(&request)?;
            parts.volumes = items!(answer, DescribeVolumes).iter().map(convert::volume).collect();
        }
        let id = holder.id.to_string();
        let by_id = ec2::Select { ids: vec![id.clone()], ..ec2::Select::default() };
        match self.ask(&Request::DescribeInstanceCreditSpecifications(by_id)) {
            Ok(answer) => {
                let credits = items!(answer, DescribeInstanceCreditSpecifications);
                parts.credits = credits.into_iter().next().map(|of| of.cpu_credits);
            }
            Err(CallError::Refused { code, .. })
                if code == "InstanceCreditSpecification.NotSupported" => {}
            Err(error) => return Err(error),
        }
        let attribute = ec2::DescribeInstanceAttribute {
            instance_id: id,
            attribute: "instanceInitiatedShutdownBehavior".to_owned(),
            ..ec2::DescribeInstanceAttribute::default()
        };
        let answer = self.ask(&Request::DescribeInstanceAttribute(attribute))?;
        if let Response::DescribeInstanceAttribute(found) = answer
            && let ec2::AttributeValue::Text { value, .. } = found.value
        {
            parts.shutdown_behavior = value;
        }
        Ok(parts)
    }
}
