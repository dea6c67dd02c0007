//! What a scenario states.

use super::play::{Ends, Play, unmet};

fn counted(what: &str, seen: u32, wanted: u32) -> Ends {
    if seen == wanted { Ok(()) } else { unmet(format!("{seen} {what} instead of {wanted}")) }
}

impl Play {
    /// So many moves have begun.
    pub(super) fn moves(&self, wanted: u32) -> Ends {
        counted("moves", self.counts().moves, wanted)
    }

    /// So many instances have come of launches.
    pub(super) fn launches(&self, wanted: u32) -> Ends {
        counted("launches", self.counts().launches, wanted)
    }

    /// So many orders to stop or to terminate have reached EC2.
    pub(super) fn ends(&self, wanted: u32) -> Ends {
        counted("orders to end an instance", self.counts().ends, wanted)
    }

    /// Whatever was ordered to end since the mark is this instance.
    pub(super) fn ended_only(&self, instance: &str) -> Ends {
        let orders = self.sent[self.mark.1..].iter();
        let mut orders = orders.filter(|call| {
            call.starts_with("TerminateInstances") || call.starts_with("StopInstances")
        });
        match orders.find(|call| !call.ends_with(instance)) {
            None => Ok(()),
            Some(call) => unmet(format!("{call} was sent")),
        }
    }

    /// One move with one launch.
    pub(super) fn moved_once(&self) -> Ends {
        self.moves(1)?;
        self.launches(1)
    }

    /// Nothing has moved, nothing was launched, nothing was ended.
    pub(super) fn nothing_moved(&self) -> Ends {
        self.moves(0)?;
        self.launches(0)?;
        self.ends(0)
    }

    /// Since the mark no call that changes anything has left.
    pub(super) fn nothing_sent(&self) -> Ends {
        match self.sent.get(self.mark.1) {
            None => Ok(()),
            Some(call) => unmet(format!("{call} was sent")),
        }
    }

    /// Since the mark nothing but status lines was told.
    pub(super) fn nothing_told(&self) -> Ends {
        match self.told.get(self.mark.0) {
            None => Ok(()),
            Some(line) => unmet(format!("\"{line}\" was told")),
        }
    }

    /// Since the mark a line with these words was told.
    pub(super) fn told(&self, words: &str) -> Ends {
        let told = self.told[self.mark.0..].iter().any(|line| line.contains(words));
        if told { Ok(()) } else { unmet(format!("\"{words}\" was not told")) }
    }

    /// How many lines with these words were told since the mark.
    pub(super) fn times_told(&self, words: &str) -> usize {
        self.told[self.mark.0..].iter().filter(|line| line.contains(words)).count()
    }

    /// Since the mark no line with these words was told.
    pub(super) fn untold(&self, words: &str) -> Ends {
        match self.told[self.mark.0..].iter().find(|line| line.contains(words)) {
            None => Ok(()),
            Some(line) => unmet(format!("\"{line}\" was told")),
        }
    }

    /// Every route for the VIP leads to who serves it, and the monitor hears it.
    pub(super) fn served(&mut self, number: usize) -> Ends {
        self.until_served(number, 0)
    }

    /// Not every route for the VIP leads to who serves it, or the monitor doesn't hear it.
    pub(super) fn unserved(&mut self, number: usize) -> Ends {
        match self.served(number) {
            Ok(()) => unmet("it is served"),
            Err(_) => Ok(()),
        }
    }

    /// This instance holds the VIP, by the record.
    pub(super) fn held_by(&self, number: usize, instance: &str) -> Ends {
        let holder = self.world.holder(number);
        if holder == instance { Ok(()) } else { unmet(format!("{holder} is the holder")) }
    }

    /// Another instance than this one holds the VIP, by the record.
    pub(super) fn not_held_by(&self, number: usize, instance: &str) -> Ends {
        match self.held_by(number, instance) {
            Ok(()) => unmet(format!("{instance} is still the holder")),
            Err(_) => Ok(()),
        }
    }

    /// The instance runs.
    pub(super) fn runs(&self, instance: &str) -> Ends {
        let found = self.world.plane.instances.iter().find(|one| one.id == *instance);
        match found {
            Some(one) if one.powered => Ok(()),
            Some(_) | None => unmet(format!("{instance} doesn't run")),
        }
    }
}
