//! The truth at a moment: which routes there are, and who serves.

use std::collections::{BTreeMap, BTreeSet};

use ec2_model::{PlaneTable, PlaneTarget};

use crate::account::vip;
use crate::world::World;

/// The truth at a moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Ground {
    /// Tables with a route for a VIP, wherever it leads.
    pub(super) routes: BTreeSet<(String, usize)>,
    /// Tables whose route leads to who serves the VIP.
    pub(super) served: BTreeSet<(String, usize)>,
    /// Who could serve which VIP, wherever the routes lead.
    pub(super) able: BTreeSet<(String, usize)>,
    /// Who serves which VIP through any table, and since when.
    pub(super) serving: BTreeMap<(String, usize), u64>,
}

impl Ground {
    /// The truth now; what already held `before` holds since then.
    pub(super) fn of(world: &World, before: Option<&Ground>) -> Ground {
        let mut ground = Ground::default();
        for table in &world.plane.tables {
            for number in 0..world.plan.vips {
                ground.look(world, before, table, number);
            }
        }
        for instance in &world.plane.instances {
            let guest = world.guests.iter().find(|guest| guest.id == instance.id);
            let number = guest.and_then(|guest| {
                let able = !instance.source_dest_check && guest.answers(world.now);
                let has = |number: &usize| guest.has(vip(*number), world.now);
                (0..world.plan.vips).find(has).filter(|_| able)
            });
            ground.able.extend(number.map(|number| (instance.id.clone(), number)));
        }
        ground
    }

    fn look(&mut self, world: &World, before: Option<&Ground>, table: &PlaneTable, number: usize) {
        let address = vip(number);
        let exact = |route: &&ec2_model::PlaneRoute| {
            route.destination.address == address && route.destination.prefix == 32
        };
        let Some(route) = table.routes.iter().find(exact) else { return };
        self.routes.insert((table.id.clone(), number));
        let PlaneTarget::Eni(eni) = &route.target else { return };
        let Some(instance) = world.plane.instances.iter().find(|one| one.eni == *eni) else {
            return;
        };
        let Some(guest) = world.guests.iter().find(|guest| guest.id == instance.id) else { return };
        let serves = guest.answers(world.now)
            && guest.has(address, world.now)
            && !instance.source_dest_check;
        if serves {
            self.served.insert((table.id.clone(), number));
            let key = (instance.id.clone(), number);
            let since = before.and_then(|before| before.serving.get(&key).copied());
            self.serving.entry(key).or_insert(since.unwrap_or(world.now));
        }
    }
}
