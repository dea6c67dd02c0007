//! Deliberate breakages of the protocol, to prove that the simulator sees them.
//!
//! They exist only under the feature `mutants`, which a build without debug assertions refuses; in
//! any other build [`is_alive`] is `false` at compile time and nothing of this is left. At most one
//! is alive in a process.

#[cfg(all(feature = "mutants", not(debug_assertions)))]
compile_error!("the feature `mutants` breaks rehome on purpose: never in a release build");

macro_rules! mutants {
    ($($mutant:ident $name:literal $doc:literal;)*) => {
        /// A breakage.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutant {
            $(#[doc = $doc] $mutant,)*
        }

        /// Every breakage, with its name and what it breaks.
        pub const ALL: &[(Mutant, &str, &str)] = &[$((Mutant::$mutant, $name, $doc),)*];
    };
}

mutants! {
    RandomToken "random-token" "A launch is sent with another token than the one recorded.";
    SameToken "same-token" "The token of a launch doesn't depend on its attempt.";
    TokenOfVip "token-of-vip" "The token of a launch doesn't depend on the generation.";
    JournalAfterCall "journal-after-call" "The record is written after the call that needs it.";
    DeleteAndCreate "delete-and-create" "A route is deleted and created instead of replaced.";
    RouteNeverCreated "route-never-created" "A missing route is only ever replaced.";
    ErrorMeansDead "error-means-dead" "An error of EC2 about the holder counts as not found.";
    UnsentMeansLost "unsent-means-lost" "A probe that couldn't be sent counts as lost.";
    OneLossIsSilence "one-loss-is-silence" "One lost probe is silence.";
    ActsWhileBlind "acts-while-blind" "Control targets that are silent are ignored.";
    IgnoresPath "ignores-path" "What changed on the way is ignored.";
    IgnoresPause "ignores-pause" "A pause is ignored.";
    IgnoresBudget "ignores-budget" "Moves are not counted.";
    IgnoresPerson "ignores-person" "What a person stopped is ended like anything else.";
    IgnoresDrift "ignores-drift" "Routes that drift are left.";
    NeverHolds "never-holds" "A hold is over at once.";
    NoSecondLook "no-second-look" "A candidate that is ready is cut to without a second look.";
    NoCommitSilence "no-commit-silence" "The silence that a commit needs is not waited for.";
    NoVerify "no-verify" "A move is over when the routes are replaced.";
    FencesUnlooked "fences-unlooked" "An old holder is ended without a last look.";
    SweepsUnscoped "sweeps-unscoped" "Leftovers are ended whoever they are.";
    CheckStaysOn "check-stays-on" "The source/dest check of a candidate isn't switched off.";
    ForgetsLostLaunch "forgets-lost-launch" "A launch that is given up is forgotten.";
    ForgetsCandidate "forgets-candidate" "The candidate of a cancelled move is forgotten.";
    RetriesAsNew "retries-as-new" "A launch without an answer is forgotten and made anew.";
    SendsLate "sends-late" "A call may leave long after it was decided.";
    TellsNoSpentBudget "tells-no-spent-budget" "That the capability is lost isn't told.";
    ForgetsStandby "forgets-standby" "A standby that is lost or released is forgotten.";
    NeverCancels "never-cancels" "A move goes on although the VIP answers again.";
}

#[cfg(feature = "mutants")]
mod living {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use super::Mutant;

    /// One more than the number of the mutant that is alive; 0: none is.
    static LIVING: AtomicUsize = AtomicUsize::new(0);

    /// Wakes a mutant, or none. For the whole process.
    pub fn wake(mutant: Option<Mutant>) {
        LIVING.store(mutant.map_or(0, |mutant| mutant as usize + 1), Ordering::SeqCst);
    }

    /// Whether this mutant is alive.
    #[must_use]
    pub fn is_alive(mutant: Mutant) -> bool {
        LIVING.load(Ordering::Relaxed) == mutant as usize + 1
    }
}

#[cfg(feature = "mutants")]
pub use living::{is_alive, wake};

/// No mutant is ever alive here.
#[cfg(not(feature = "mutants"))]
#[must_use]
#[inline(always)]
pub const fn is_alive(_: Mutant) -> bool {
    false
}
