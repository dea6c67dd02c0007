//! What happens to standbys.

use ec2_model::api::{Request, StopInstances, TerminateInstances};

use super::Struck;
use crate::fault::Kind;
use crate::time::{MS, SEC};
use crate::world::World;

impl World {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other families have their own")]
    pub(super) fn strike_standby(&mut self, kind: Kind, strength: u64) -> Struck {
        let number = self.rng.index(self.plan.vips);
        let record = self.disks[number].record.as_ref();
        let standby = record.and_then(|record| record.standby.as_ref()?.instance.as_ref());
        let Some(id) = standby.map(ToString::to_string) else { return Struck::Missed };
        let ids = vec![id.clone()];
        match kind {
            Kind::StandbyDies => self.set_dead(&id, true),
            Kind::StandbyStopped => {
                let request = StopInstances { instance_ids: ids, ..StopInstances::default() };
                self.operate(&Request::StopInstances(request));
            }
            Kind::StandbyEnded => {
                let request =
                    TerminateInstances { instance_ids: ids, ..TerminateInstances::default() };
                self.operate(&Request::TerminateInstances(request));
            }
            Kind::BothDie => {
                let holder = self.holder(number);
                self.set_dead(&holder, true);
                // The moments in which the routes are pointed to it are among these.
                let dies_at = self.now + 3 * SEC + strength * 100 * MS;
                if let Some(guest) = self.guests.iter_mut().find(|guest| guest.id == id) {
                    guest.dies_at = dies_at;
                }
                self.refresh();
            }
            _ => return Struck::Missed,
        }
        Struck::Once
    }
}
