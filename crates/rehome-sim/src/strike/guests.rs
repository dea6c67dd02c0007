//! Faults inside the instances.

use ec2_model::Guest as Seen;
use ec2_model::api::{RebootInstances, Request};

use super::{Struck, Token};
use crate::fault::Kind;
use crate::time::{SEC, model};
use crate::world::World;

impl World {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other families have their own")]
    pub(super) fn strike_guest(&mut self, kind: Kind, strength: u64) -> Struck {
        let weather = &mut self.weather;
        match kind {
            Kind::UserDataFails => weather.no_user_data = true,
            Kind::SlowBoot => weather.slow_boot = strength * SEC,
            Kind::Forgetful => weather.forgetful = true,
            Kind::NewbornsDie => weather.newborns_die = Some(strength * SEC),
            _ => return self.strike_holder(kind),
        }
        Struck::Lasting(Token::None)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the other families have their own")]
    fn strike_holder(&mut self, kind: Kind) -> Struck {
        let Some(holder) = self.some_holder() else { return Struck::Missed };
        let Some(index) = self.guests.iter().position(|guest| guest.id == holder) else {
            return Struck::Missed;
        };
        if !self.guests[index].answers(self.now) {
            return Struck::Missed;
        }
        match kind {
            Kind::GuestCrash => self.set_dead(&holder, true),
            Kind::GuestHang => {
                self.set_dead(&holder, true);
                return Struck::Lasting(Token::Name(holder));
            }
            Kind::GuestReboot => {
                let ids = vec![holder];
                let request = RebootInstances { instance_ids: ids, ..RebootInstances::default() };
                self.operate(&Request::RebootInstances(request));
            }
            Kind::AddressLost => {
                self.guests[index].vip_at = u64::MAX;
                self.refresh();
            }
            Kind::PowerOff => {
                self.ec2.report(model(self.now), &holder, Seen::PoweredOff);
                self.refresh();
            }
            _ => return Struck::Missed,
        }
        Struck::Once
    }

    pub(super) fn set_dead(&mut self, id: &str, dead: bool) {
        if let Some(guest) = self.guests.iter_mut().find(|guest| guest.id == *id) {
            guest.dead = dead;
        }
        self.refresh();
    }
}
