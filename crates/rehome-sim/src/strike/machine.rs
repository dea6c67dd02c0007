//! Faults of the process, its clocks and its disk.

use rehome_core::controller::Event;

use super::{Struck, Token};
use crate::fault::Kind;
use crate::process::Disk;
use crate::time::{MS, SEC};
use crate::world::World;

impl World {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other families have their own")]
    pub(super) fn strike_machine(&mut self, kind: Kind, strength: u64) -> Struck {
        let process = self.rng.index(self.plan.vips);
        let runs = self.processes[process].controller.is_some();
        match kind {
            Kind::Crash if runs => {
                let again = self.rng.below(strength * SEC + 1);
                self.crash(process, again);
            }
            Kind::CrashAtAction if runs => {
                self.processes[process].crash_in = u32::try_from(strength).ok();
            }
            Kind::Paused => {
                self.processes[process].stand_still(self.now + strength * SEC, false);
            }
            Kind::Suspended => {
                for own in self.processes.iter_mut().filter(|own| own.machine == 0) {
                    own.stand_still(self.now + strength * SEC, true);
                }
            }
            Kind::WallJump => {
                let jump = i64::try_from(strength).unwrap_or(0);
                self.wall += if self.rng.chance(500) { jump } else { -jump };
            }
            Kind::Sluggish => {
                self.processes[process].sluggish = strength * MS;
                return Struck::Lasting(Token::Process(process));
            }
            Kind::StoreFails => {
                self.disks[process].fails = true;
                return Struck::Lasting(Token::Process(process));
            }
            Kind::StoreSlow => {
                self.disks[process].slow = strength * MS;
                return Struck::Lasting(Token::Process(process));
            }
            Kind::RecordDamaged if runs => {
                self.disks[process].damaged = true;
                self.crash(process, 0);
            }
            Kind::RecordLost if runs => {
                self.lose_record(process);
                self.crash(process, 0);
            }
            Kind::Signal if runs => self.deliver_at(self.now, process, Event::Stop),
            Kind::Second => {
                let other = process + self.plan.vips;
                let lineage = self.disks[other].lineage + 1;
                self.disks[other] = Disk { lineage, ..Disk::default() };
                self.processes[other].wanted = true;
                let start = self.start_event(other);
                self.push(self.now, start);
                return Struck::Lasting(Token::Process(other));
            }
            _ => return Struck::Missed,
        }
        Struck::Once
    }

    pub(super) fn stop_second(&mut self, process: usize) {
        self.processes[process].wanted = false;
        self.end(process);
    }
}
