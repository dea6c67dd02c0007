//! Echo requests of our own: detection is what rehome is for, and a forked `ping` is too slow, too
//! coarse and not there on every machine.

pub(crate) mod packet;
pub(crate) mod prober;
