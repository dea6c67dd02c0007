//! What runs inside the instances: whether a guest answers, and at which addresses.
//!
//! The model says which machines have power and when they boot; the rest is here.

use std::net::Ipv4Addr;

use ec2_model::PlaneInstance;

use crate::account::vip_of;
use crate::time::{SEC, of_model};

/// A guest.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    /// `i-...`.
    pub(crate) id: String,
    /// The boot that this is about.
    boots: u32,
    pub(crate) powered: bool,
    /// It answers from then on.
    pub(crate) up_at: u64,
    /// The VIP that its user data sets up.
    pub(crate) vip: Option<Ipv4Addr>,
    /// It has the VIP from then on; `u64::MAX` where it never will.
    pub(crate) vip_at: u64,
    /// Crashed, or standing still.
    pub(crate) dead: bool,
    /// Its network doesn't work.
    pub(crate) cut: bool,
    /// It crashes then.
    pub(crate) dies_at: u64,
}

/// How guests that boot now fare.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weather {
    /// Boots take this much longer.
    pub(crate) slow_boot: u64,
    /// User data doesn't set the VIP.
    pub(crate) no_user_data: bool,
    /// A reboot loses the VIP.
    pub(crate) forgetful: bool,
    /// New guests have no network.
    pub(crate) newborns_cut: bool,
    /// New guests die so long after they came up.
    pub(crate) newborns_die: Option<u64>,
}

impl Guest {
    pub(crate) fn new(id: &str) -> Guest {
        Guest {
            id: id.to_owned(),
            boots: 0,
            powered: false,
            up_at: u64::MAX,
            vip: None,
            vip_at: u64::MAX,
            dead: false,
            cut: false,
            dies_at: u64::MAX,
        }
    }

    /// Follows the model; true where the guest boots anew.
    pub(crate) fn follow(&mut self, plane: &PlaneInstance, weather: &Weather) -> bool {
        self.powered = plane.powered;
        if plane.boots == self.boots {
            return false;
        }
        let first = self.boots == 0;
        self.boots = plane.boots;
        self.dead = false;
        self.up_at = of_model(plane.boot_at) + weather.slow_boot;
        if first {
            self.vip = plane.user_data.as_deref().and_then(vip_of);
            self.cut = weather.newborns_cut;
            self.dies_at = weather.newborns_die.map_or(u64::MAX, |after| self.up_at + after);
        }
        // User data runs at the first boot only; what it set up is kept, unless told otherwise.
        let had = first || self.vip_at != u64::MAX;
        let fails = if first { weather.no_user_data } else { weather.forgetful };
        let sets = self.vip.is_some() && had && !fails;
        self.vip_at = if sets { self.up_at + SEC } else { u64::MAX };
        true
    }

    /// Whether it answers at its primary address.
    pub(crate) fn answers(&self, now: u64) -> bool {
        self.powered && !self.dead && !self.cut && now >= self.up_at && now < self.dies_at
    }

    /// Whether it answers at `address` beside its own.
    pub(crate) fn has(&self, address: Ipv4Addr, now: u64) -> bool {
        self.vip == Some(address) && now >= self.vip_at
    }

    /// The next moment at which what it answers changes by itself.
    pub(crate) fn next_change(&self, now: u64) -> Option<u64> {
        let moments = [self.up_at, self.vip_at, self.dies_at];
        moments.into_iter().filter(|at| *at > now && *at != u64::MAX).min()
    }
}
