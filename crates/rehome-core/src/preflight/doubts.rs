//! What is read only when something is in doubt, asked for once at the start: a permission that is
//! missing then would come up at the worst moment.

use alloc::vec::Vec;

use super::Order;
use crate::call::Call;
use crate::names::{Az, GroupId, InstanceId, SubnetId, VpcId};
use crate::record::Record;
use crate::world::Instance;

/// Where the present holder is.
struct Place {
    id: InstanceId,
    az: Az,
    vpc: VpcId,
    subnet: SubnetId,
    groups: Vec<GroupId>,
}

/// The reads that `run` makes while it watches and a survey doesn't: about `holder`, the instance
/// that has the address now, as far as it tells; else by what the state file remembers. `own` is
/// the instance that we run on. Without either there is nothing to ask about.
#[must_use]
pub fn doubts(
    order: &Order,
    holder: Option<&Instance>,
    known: Option<&Record>,
    own: Option<&Instance>,
) -> Vec<Call> {
    let place = holder.and_then(shown).or_else(|| known.map(remembered));
    let Some(Place { id, az, vpc, subnet, mut groups }) = place else { return Vec::new() };
    groups.extend(order.wishes.groups.iter().cloned());
    groups.sort();
    groups.dedup();
    let interface = own.and_then(Instance::primary_interface).map(|one| one.id.clone());
    alloc::vec![
        Call::Path { vpc, groups, subnets: alloc::vec![subnet], interface },
        Call::Listed { ids: alloc::vec![id.clone()] },
        Call::Statuses { az, ids: alloc::vec![id] },
    ]
}

fn shown(holder: &Instance) -> Option<Place> {
    Some(Place {
        id: holder.id.clone(),
        az: holder.az.clone()?,
        vpc: holder.vpc.clone()?,
        subnet: holder.subnet.clone()?,
        groups: holder.primary_interface().map(|of| of.groups.clone()).unwrap_or_default(),
    })
}

fn remembered(record: &Record) -> Place {
    let home = &record.holder;
    Place {
        id: home.instance.clone(),
        az: home.az.clone(),
        vpc: record.vpc.clone(),
        subnet: home.subnet.clone(),
        groups: home.groups.clone(),
    }
}
