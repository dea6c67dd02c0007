//! What can go wrong: every kind with its name, what it does, and the range of its knob.
//!
//! A fault strikes at moments drawn from its rate, and either happens at once or lasts; one that
//! lasts is over before it strikes again. What a strike does is in `strike`.

/// A kind of fault and the range of its knob.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Which.
    pub kind: Kind,
    /// Its name in summaries and traces.
    pub name: &'static str,
    /// What happens; what `strength` means, where it means anything.
    pub doc: &'static str,
    /// Strikes in 100 hours where the knob stands at its middle.
    pub rate: u32,
    /// Seconds it lasts, from and to; zeros where it happens at once.
    pub lasts: (u64, u64),
    /// How strong it is, from and to.
    pub strength: (u32, u32),
}

macro_rules! kinds {
    ($($kind:ident $name:literal $rate:literal $lasts:tt $strength:tt $doc:literal;)*) => {
        /// The kinds of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $(#[doc = $doc] $kind,)*
        }

        /// Every kind.
        pub const TABLE: &[Spec] = &[
            $(Spec {
                kind: Kind::$kind,
                name: $name,
                doc: $doc,
                rate: $rate,
                lasts: $lasts,
                strength: $strength,
            },)*
        ];
    };
}

kinds! {
    // EC2.
    Throttled "throttled" 60 (30, 900) (50, 100)
        "Others use `strength` % of every token bucket.";
    ErrorBefore "error-before" 100 (5, 120) (0, 5)
        "An action answers a server error of kind `strength` and does nothing.";
    ErrorAfter "error-after" 100 (5, 120) (0, 5)
        "An action takes effect and answers a server error of kind `strength`.";
    AnswerLost "answer-lost" 200 (5, 120) (1, 4)
        "An action takes effect `strength` times and its answer is lost.";
    RequestLost "request-lost" 100 (5, 120) (1, 4)
        "`strength` requests are lost on their way.";
    SlowAnswers "slow-answers" 60 (10, 600) (200, 8_000)
        "Every call takes `strength` ms longer.";
    LateEffect "late-effect" 120 (10, 120) (3_000, 60_000)
        "Mutations linger on their way for `strength` ms, then take effect.";
    NoCapacity "no-capacity" 60 (60, 3_600) (0, 0)
        "A zone has no room for new instances.";
    LaunchDies "launch-dies" 60 (30, 900) (0, 3)
        "Launches are accepted and die, for reason `strength`.";
    Invisible "new-ids-invisible" 60 (60, 1_800) (1_000, 120_000)
        "New ids are unknown for `strength` ms.";
    StaleInstances "stale-instances" 60 (60, 1_800) (500, 10_000)
        "Half of the readings of instances are `strength` ms behind.";
    StaleRoutes "stale-routes" 60 (60, 1_800) (500, 10_000)
        "Half of the readings of route tables are `strength` ms behind.";
    ApiDown "api-down" 50 (5, 1_800) (0, 1)
        "No connection to EC2 (0), or no answer from it (1).";
    ZoneImpaired "zone-impaired" 40 (60, 1_800) (0, 0)
        "Describe calls that concern a zone fail.";
    ZoneDies "zone-dies" 15 (60, 1_200) (0, 0)
        "A zone's guests die, and Describe calls that concern it fail.";
    Denied "denied" 30 (10, 600) (0, 8)
        "One action is forbidden.";
    Expired "credentials-expired" 30 (5, 600) (0, 2)
        "Every call is refused for its credentials.";
    CheckImpaired "check-impaired" 30 (60, 900) (0, 2)
        "A status check of a holder fails while it serves.";
    BadImage "bad-image" 15 (30, 600) (0, 0)
        "Launches are refused because of the image.";
    QuotaSpent "quota-spent" 20 (30, 900) (0, 0)
        "Launches are refused by an account limit.";
    SubnetFull "subnet-full" 30 (60, 1_800) (0, 0)
        "A subnet has no free address.";
    EndHangs "end-hangs" 30 (60, 1_800) (0, 0)
        "Instances of a VIP never get from stopping to stopped.";
    // The network.
    Loss "loss" 60 (10, 1_800) (10, 600)
        "`strength` packets in a thousand are lost, both ways.";
    LossOut "loss-out" 30 (5, 600) (100, 1_000)
        "Packets from the monitor are lost.";
    LossIn "loss-in" 30 (5, 600) (100, 1_000)
        "Packets to the monitor are lost.";
    ZoneCut "zone-cut" 30 (2, 900) (0, 0)
        "Nothing passes between the monitor and a zone.";
    CutOff "monitor-cut-off" 40 (2, 1_800) (0, 0)
        "The monitor's interface is dead: no probes, no API.";
    Deaf "monitor-deaf" 40 (2, 1_800) (0, 0)
        "No ping of the monitor finds its way back; the API answers.";
    LateAnswers "late-answers" 40 (10, 900) (800, 4_000)
        "A third of the answers comes `strength` ms late.";
    Duplicates "duplicated-answers" 30 (10, 900) (50, 900)
        "`strength` answers in a thousand come twice.";
    Reordered "reordered-answers" 30 (10, 900) (100, 900)
        "`strength` answers in a thousand come up to 300 ms late.";
    OverlayDeaf "overlay-deaf" 30 (10, 1_800) (0, 0)
        "No answer reaches the monitor's overlay address.";
    NoAddress "own-address-lost" 30 (5, 900) (0, 1)
        "Nothing can be sent from one of the monitor's addresses.";
    NoRoute "own-route-lost" 30 (5, 900) (0, 0)
        "Nothing can be sent at all.";
    NewbornsCut "newborns-cut" 30 (60, 1_800) (0, 0)
        "New instances have no network until this is over.";
    // The machine.
    Crash "crash" 100 (0, 0) (0, 60)
        "The process is killed and started again after up to `strength` s.";
    CrashAtAction "crash-at-action" 200 (0, 0) (0, 12)
        "The process dies at one of its next actions.";
    Paused "process-paused" 60 (0, 0) (1, 180)
        "The process stands still for `strength` s.";
    Suspended "suspended" 30 (0, 0) (5, 600)
        "The machine sleeps for `strength` s; what arrives meanwhile is lost.";
    WallJump "wall-jump" 30 (0, 0) (1, 7_200)
        "The wall clock jumps by up to `strength` s, either way.";
    Sluggish "sluggish-loop" 40 (10, 600) (100, 2_000)
        "The loop wakes up to `strength` ms late.";
    StoreFails "store-fails" 40 (5, 600) (0, 0)
        "The record can't be written.";
    StoreSlow "store-slow" 60 (10, 600) (50, 4_000)
        "A write takes `strength` ms, and the loop waits.";
    RecordDamaged "record-damaged" 8 (0, 0) (0, 0)
        "The record is damaged, and the process dies.";
    RecordLost "record-lost" 8 (0, 0) (0, 0)
        "The record is gone, and the process dies.";
    Signal "signal" 50 (0, 0) (0, 30)
        "The process is told to end, and started again after `strength` s.";
    Second "second-controller" 10 (120, 1_800) (0, 0)
        "Somebody starts a controller for the same VIP elsewhere.";
    // Guests.
    GuestCrash "guest-crash" 80 (0, 0) (0, 0)
        "A holder's guest dies.";
    GuestHang "guest-hang" 60 (1, 300) (0, 0)
        "A holder's guest stands still for a while.";
    GuestReboot "guest-reboot" 40 (0, 0) (0, 0)
        "A holder's guest reboots.";
    AddressLost "address-lost" 50 (0, 0) (0, 0)
        "A holder's guest loses the address.";
    PowerOff "power-off" 20 (0, 0) (0, 0)
        "A holder's guest shuts itself down.";
    UserDataFails "user-data-fails" 40 (60, 1_200) (0, 0)
        "New guests never set the address.";
    SlowBoot "slow-boot" 40 (60, 1_800) (10, 400)
        "New guests boot `strength` s longer.";
    Forgetful "address-not-kept" 20 (600, 3_600) (0, 0)
        "Guests come back from a reboot without the address.";
    NewbornsDie "newborns-die" 30 (60, 900) (1, 60)
        "New guests die `strength` s after they began to answer.";
    // People.
    Stops "person-stops" 20 (0, 0) (0, 0)
        "A holder is stopped by hand.";
    Terminates "person-terminates" 20 (0, 0) (0, 0)
        "A holder is terminated by hand.";
    Reboots "person-reboots" 20 (0, 0) (0, 0)
        "A holder is rebooted by hand.";
    Starts "person-starts" 30 (0, 0) (0, 0)
        "A stopped instance is started by hand.";
    EndsCandidate "person-ends-candidate" 30 (0, 0) (0, 0)
        "An instance that isn't the holder is terminated by hand.";
    Steals "route-stolen" 30 (5, 900) (0, 1)
        "A route is pointed to a live stranger (0) or to a dead interface (1).";
    Deletes "route-deleted" 20 (0, 0) (0, 0)
        "A route is deleted.";
    CheckOn "check-on" 30 (0, 0) (0, 0)
        "A holder's source/dest check is switched on.";
    GroupClosed "group-closed" 30 (5, 1_200) (0, 0)
        "The rules that admit pings leave the group.";
    AclClosed "acl-closed" 20 (5, 1_200) (0, 1)
        "A network ACL denies pings at a holder (0) or at the monitor (1).";
    Pauses "person-pauses" 40 (10, 2_400) (0, 0)
        "Somebody pauses a VIP.";
    Protects "protected" 20 (600, 3_600) (0, 0)
        "A holder is protected from termination.";
    // Standbys, where there are any.
    StandbyDies "standby-dies" 60 (0, 0) (0, 0)
        "A standby's guest dies.";
    StandbyStopped "standby-stopped" 20 (0, 0) (0, 0)
        "A standby is stopped by hand.";
    StandbyEnded "standby-ended" 20 (0, 0) (0, 0)
        "A standby is terminated by hand.";
    BothDie "both-die" 80 (0, 0) (0, 60)
        "A holder's guest dies, and its standby's 3 s and `strength` tenths later.";
}

impl Kind {
    /// Its row of the table.
    #[must_use]
    pub fn spec(self) -> &'static Spec {
        &TABLE[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_stands_in_its_own_row_under_a_name_of_its_own() {
        let mut names = std::collections::BTreeSet::new();
        for (index, spec) in TABLE.iter().enumerate() {
            assert_eq!(spec.kind as usize, index, "{}", spec.name);
            assert!(names.insert(spec.name), "{}", spec.name);
            assert!(spec.rate > 0 && spec.strength.0 <= spec.strength.1, "{}", spec.name);
        }
        assert!(TABLE.len() >= 40, "{} kinds", TABLE.len());
    }
}
