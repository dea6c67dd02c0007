//! What a seed decides before anything happens: the account, the knobs, and which faults there are.

use std::time::Duration;

use ec2_model::Pace;
use rehome_core::policy::{FenceMode, Policy, StandbyMode};

use crate::fault::{Kind, TABLE};
use crate::rng::Rng;
use crate::time::SEC;

/// Simulated time of one seed: six hours.
pub const LENGTH: u64 = 6 * 3_600 * SEC;

/// Faults begin then: everything has been well for long enough to be known.
pub(crate) const FAULTS_FROM: u64 = 120 * SEC;

/// Faults stop then.
pub(crate) const CALM_AT: u64 = LENGTH - 45 * 60 * SEC;

/// After the faults have stopped and people have resumed what was held, the VIP is served within
/// this time.
///
/// A candidate from before, spoiled by a fault, takes 300 s until it is given up as not ready, or
/// 30 s to cut and 90 s to verify; three of them are the launches of a move, and 300 s of holding
/// follow. The next launch meets no fault: at most 60 s to `running`, 60 s to boot, 120 s to cut
/// and verify. That makes 3 x 420 + 300 + 240 = 1,800 s.
pub const SERVED_WITHIN: u64 = 1_800 * SEC;

/// How often a fault strikes, how long it lasts and how strong it is, in this seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Knob {
    pub(crate) kind: Kind,
    /// On average, between two strikes.
    pub(crate) every: u64,
    pub(crate) lasts: (u64, u64),
    pub(crate) strength: (u32, u32),
}

/// What gives up launches that take effect all the same: they come late, or unseen, and the holder
/// is back meanwhile.
const LOST_LAUNCHES: [Kind; 4] =
    [Kind::LateEffect, Kind::GuestHang, Kind::GuestReboot, Kind::NoCapacity];

/// What kind of run it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Nothing but independent loss on every path, at most 20 %: nothing may move.
    PlainLoss(u32),
    /// Nothing but a holder that answers for a moment in every so many milliseconds: too often for
    /// a commit, too seldom to be back.
    Flaps(u64),
    /// A random choice of faults.
    Swarm,
}

/// A seed's plan.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) profile: Profile,
    pub(crate) vips: usize,
    pub(crate) zones: u8,
    pub(crate) tables: usize,
    /// Whether the monitor has an overlay address.
    pub(crate) overlay: bool,
    /// Whether the other monitor's machine is named as a control target.
    pub(crate) control: bool,
    /// Whether the process can learn which instance it runs on.
    pub(crate) own_known: bool,
    /// Whether the monitor's own table is cut first.
    pub(crate) canary: bool,
    /// Whether the command line names the route tables.
    pub(crate) named_tables: bool,
    pub(crate) policy: Policy,
    pub(crate) pace: Pace,
    pub(crate) knobs: Vec<Knob>,
    /// After the faults only this zone has room.
    pub(crate) last_zone: Option<u8>,
}

impl Plan {
    pub(crate) fn of_seed(seed: u64) -> Plan {
        let mut rng = Rng::new(seed, 1);
        let zones = u8::try_from(rng.between(3, 4)).unwrap_or(3);
        let mut profile = match rng.below(24) {
            0 => Profile::PlainLoss(u32::try_from(rng.between(10, 200)).unwrap_or(200)),
            _ => Profile::Swarm,
        };
        let mut knobs = match profile {
            Profile::PlainLoss(_) | Profile::Flaps(_) => Vec::new(),
            Profile::Swarm => swarm(&mut rng),
        };
        let vips = [1, 1, 1, 1, 1, 1, 1, 2, 2, 3][rng.index(10)];
        let tables = 1 + rng.index(3);
        let (overlay, own_known) = (rng.chance(600), rng.chance(850));
        let named_tables = rng.chance(500);
        let mut policy = policy(&mut rng);
        // What chance brings together too seldom, from a stream of its own: the others stay.
        let mut staged = Rng::new(seed, 3);
        if staged.below(40) == 0 {
            profile = Profile::Flaps(staged.between(5_000, 9_000));
            knobs = Vec::new();
            policy = Policy { fence: policy.fence, ..Policy::default() };
        } else if staged.below(40) == 0 {
            profile = Profile::Swarm;
            knobs = LOST_LAUNCHES.iter().map(|kind| knob(&mut staged, *kind, 2_000)).collect();
        }
        if profile == Profile::Swarm && staged.chance(250) {
            policy.standby = StandbyMode::Hot;
            for spec in TABLE.iter().filter(|spec| spec.kind > Kind::Protects) {
                if staged.chance(400) {
                    knobs.push(knob(&mut staged, spec.kind, 100));
                }
            }
        }
        Plan {
            profile,
            vips,
            zones,
            tables,
            overlay,
            own_known,
            canary: staged.chance(200),
            named_tables,
            policy,
            pace: pace(&mut rng),
            knobs,
            last_zone: rng.chance(500).then(|| u8::try_from(rng.below(3)).unwrap_or(0)),
            control: rng.chance(500),
        }
    }
}

/// A random choice of kinds, each with a random rate: faults that are few show what many hide, and
/// the other way round (Groce and others, "Swarm Testing", ISSTA 2012).
fn swarm(rng: &mut Rng) -> Vec<Knob> {
    let density = [40, 80, 150, 300, 600][rng.index(5)];
    let zeal = [50, 100, 200][rng.index(3)];
    let mut knobs: Vec<Knob> = Vec::new();
    for spec in TABLE.iter().filter(|spec| spec.kind <= Kind::Protects) {
        if rng.chance(density) {
            knobs.push(knob(rng, spec.kind, zeal));
        }
    }
    knobs
}

/// A knob of that kind; `zeal` is in hundredths.
fn knob(rng: &mut Rng, kind: Kind, zeal: u64) -> Knob {
    let spec = kind.spec();
    // From a fifth of the usual rate to four times as much.
    let rate = u64::from(spec.rate) * rng.between(20, 400) * zeal / 10_000;
    let every = 100 * 3_600 * SEC / rate.max(1);
    let low = rng.between(spec.lasts.0, spec.lasts.1);
    let weak = rng.between(spec.strength.0.into(), spec.strength.1.into());
    Knob {
        kind,
        every,
        lasts: (spec.lasts.0, low),
        strength: (spec.strength.0, u32::try_from(weak).unwrap_or(spec.strength.1)),
    }
}

fn policy(rng: &mut Rng) -> Policy {
    let fence = match rng.below(4) {
        0 => FenceMode::Stop,
        1 => FenceMode::None,
        _ => FenceMode::Terminate,
    };
    let mut policy = Policy { fence, ..Policy::default() };
    // Half of the seeds keep the usual interval; some are sharper, most of the others easier.
    if rng.chance(500) {
        policy.interval = Duration::from_millis(rng.between(500, 5_000));
    }
    if rng.chance(100) {
        policy.commit_after = Duration::from_secs(rng.between(4, 20));
    }
    if rng.chance(20) {
        policy.observe = true;
    }
    policy
}

fn pace(rng: &mut Rng) -> Pace {
    let real = Pace::real();
    if rng.chance(400) {
        return real;
    }
    Pace {
        launch_ms: rng.between(2_000, 40_000),
        start_ms: rng.between(2_000, 40_000),
        boot_ms: rng.between(2_000, 50_000),
        reboot_ms: rng.between(4_000, 60_000),
        guest_shutdown_ms: rng.between(100, 20_000),
        stop_ms: rng.between(5_000, 120_000),
        terminate_ms: rng.between(5_000, 120_000),
        status_ms: rng.between(60_000, 240_000),
        terminated_tags_ms: rng.between(30_000, 900_000),
        terminated_visible_ms: rng.between(900_000, 3_600_000),
        ..real
    }
}
