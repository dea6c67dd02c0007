//! What makes two states the same: everything that decides what comes next, and nothing else.
//!
//! The controller streams itself, by its own serialized form, into a hash of 128 bits. Times go
//! beside it and are hashed in the end, relative to the present:
//!
//! - what is to come is rounded up to [`GRID`], because nothing ever looks between two points of
//!   it: only the spread of a back-off lies there;
//! - what is older than [`OLD`] counts by its rank among the old ones alone. Every time that the
//!   search's knobs know is shorter, so only who was first still matters.
//!
//! Left out ([`is_idle`]) is what is only told to people, what never changes in these worlds, and
//! the names of probes.

use std::fmt;

use rehome_core::time::{Mono, Unix};
use serde::ser::{self, Serialize};

/// The world's time goes in steps of this.
pub(super) const GRID: u64 = 500_000_000;

/// What is older than this is old: longer than each duration of the knobs.
const OLD: u64 = 8_000_000_000;

const SECOND: u64 = 1_000_000_000;

/// Losses beyond this change nothing: more than each number that they are held against.
const LOSSES: u64 = 3;

/// Answers in a row beyond this change nothing: `Policy::rise` of these worlds.
const ANSWERS: u64 = 1;

/// Whether a field says nothing about what comes next, in the worlds of the search.
fn is_idle(owner: &str, field: &str) -> bool {
    match owner {
        // The setup and the relation of the clocks are the same in all states; the others are of
        // lines and notes alone.
        "Controller" => matches!(field, "setup" | "clocks" | "told" | "deciding"),
        // There is one source, so nobody is deaf while another one hears.
        "Probing" => matches!(field, "next_id" | "heard_at"),
        // An answer that comes after its probe was counted as lost doesn't happen here.
        "PathLog" => field == "lost",
        // How long the silence was, for the line that tells the end of a move.
        "Cut" => field == "silent_since",
        // Zones and status checks are always well here. Only a process without a past asks how
        // long readings have agreed.
        "Views" => {
            matches!(field, "zones" | "impaired" | "statuses" | "last_state" | "scene")
        }
        "Record" => matches!(field, "revision" | "format" | "vpc" | "account"),
        _ => false,
    }
}

/// What the next number is.
#[derive(Clone, Copy)]
enum Next {
    Plain,
    Mono,
    Unix,
    Ignored,
    AtMost(u64),
}

/// Takes a state in, piece by piece.
pub(super) struct Fingerprint {
    lanes: [u64; 2],
    now: u64,
    unix: u64,
    next: Next,
    /// What is due counts as due now.
    due: bool,
    monos: Vec<u64>,
    unixes: Vec<u64>,
}

impl Fingerprint {
    /// Of a state at this moment.
    pub(super) fn new(now: Mono, unix: Unix) -> Fingerprint {
        Fingerprint {
            lanes: [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344],
            now: now.0,
            unix: unix.0,
            next: Next::Plain,
            due: false,
            monos: Vec::with_capacity(64),
            unixes: Vec::with_capacity(16),
        }
    }

    /// A number that counts as it is.
    pub(super) fn word(&mut self, word: u64) {
        let [one, other] = &mut self.lanes;
        *one = (*one ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        *other = (*other ^ word.rotate_left(32)).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        *other ^= *other >> 31;
    }

    /// A moment.
    pub(super) fn mono(&mut self, at: Mono) {
        self.monos.push(at.0);
    }

    /// A part that can be serialized.
    pub(super) fn part(&mut self, part: &impl Serialize) {
        part.serialize(&mut *self).unwrap_or_else(|never| match never {});
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }

    fn number(&mut self, number: u64) {
        match std::mem::replace(&mut self.next, Next::Plain) {
            Next::Plain => self.word(number),
            Next::Mono if self.due => self.monos.push(number.max(self.now)),
            Next::Mono => self.monos.push(number),
            Next::Unix => self.unixes.push(number),
            Next::Ignored => {}
            Next::AtMost(most) => self.word(number.min(most)),
        }
    }

    /// The whole of it.
    pub(super) fn finish(mut self) -> u128 {
        let monos: Vec<u64> = self.monos.iter().map(|at| at.next_multiple_of(GRID)).collect();
        self.times(&monos, self.now, OLD);
        let unixes = std::mem::take(&mut self.unixes);
        self.times(&unixes, self.unix, OLD / SECOND);
        // Whole seconds of wall time begin on every other point of the grid.
        self.word(self.now % SECOND);
        for round in 0..2 {
            self.word(round);
        }
        u128::from(self.lanes[0]) << 64 | u128::from(self.lanes[1])
    }

    fn times(&mut self, times: &[u64], now: u64, old: u64) {
        let mut aged: Vec<u64> = times.iter().copied().filter(|at| *at + old < now).collect();
        aged.sort_unstable();
        aged.dedup();
        for at in times {
            let place = match aged.binary_search(at) {
                Ok(rank) => rank as u64,
                Err(_) => (u64::MAX / 2).wrapping_add(at.wrapping_sub(now)),
            };
            self.word(place);
        }
    }
}

/// The stream can't fail.
#[derive(Debug)]
pub(super) enum Never {}

impl fmt::Display for Never {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for Never {}

impl ser::Error for Never {
    fn custom<T: fmt::Display>(message: T) -> Never {
        unreachable!("nothing in a controller refuses to be serialized: {message}")
    }
}

/// The fields of one struct, by its name.
pub(super) struct Fields<'a> {
    owner: &'static str,
    into: &'a mut Fingerprint,
}

macro_rules! numbers {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method(self, value: $type) -> Result<(), Never> {
            self.number(value as u64);
            Ok(())
        })*
    };
}

impl<'a> ser::Serializer for &'a mut Fingerprint {
    type Ok = ();
    type Error = Never;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    numbers! {
        serialize_bool: bool, serialize_char: char,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
    }

    fn serialize_f32(self, value: f32) -> Result<(), Never> {
        self.number(u64::from(value.to_bits()));
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Never> {
        self.number(value.to_bits());
        Ok(())
    }

    fn serialize_str(self, text: &str) -> Result<(), Never> {
        self.bytes(text.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Never> {
        self.bytes(bytes);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Never> {
        self.word(0);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Never> {
        self.word(1);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Never> {
        self.word(2);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Never> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), Never> {
        self.word(u64::from(index));
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        self.next = match name {
            "Mono" => Next::Mono,
            "Unix" => Next::Unix,
            "ProbeId" => Next::Ignored,
            _ => Next::Plain,
        };
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        self.word(u64::from(index));
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self, Never> {
        self.word(length.unwrap_or(0) as u64);
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Never> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Never> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Never> {
        self.word(u64::from(index));
        Ok(self)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self, Never> {
        self.word(length.unwrap_or(0) as u64);
        Ok(self)
    }

    fn serialize_struct(self, owner: &'static str, _: usize) -> Result<Fields<'a>, Never> {
        Ok(Fields { owner, into: self })
    }

    fn serialize_struct_variant(
        self,
        owner: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Fields<'a>, Never> {
        self.word(u64::from(index));
        Ok(Fields { owner, into: self })
    }
}

macro_rules! sequences {
    ($($part:ident: $method:ident,)*) => {
        $(impl ser::$part for &mut Fingerprint {
            type Ok = ();
            type Error = Never;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
                value.serialize(&mut **self)
            }

            fn end(self) -> Result<(), Never> {
                Ok(())
            }
        })*
    };
}

sequences! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field,
}

impl ser::SerializeMap for &mut Fingerprint {
    type Ok = ();
    type Error = Never;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Never> {
        key.serialize(&mut **self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Never> {
        Ok(())
    }
}

macro_rules! structs {
    ($($part:ident,)*) => {
        $(impl ser::$part for Fields<'_> {
            type Ok = ();
            type Error = Never;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                field: &'static str,
                value: &T,
            ) -> Result<(), Never> {
                if is_idle(self.owner, field) {
                    return Ok(());
                }
                self.into.next = match (self.owner, field) {
                    ("PathLog", "losses") | ("Views", "absent") => Next::AtMost(LOSSES),
                    ("PathLog", "answers_in_row") => Next::AtMost(ANSWERS),
                    _ => Next::Plain,
                };
                // When a try may be made again says nothing once that time is there.
                self.into.due = (self.owner, field) == ("Controller", "retry_at");
                let done = value.serialize(&mut *self.into);
                self.into.due = false;
                done
            }

            fn end(self) -> Result<(), Never> {
                Ok(())
            }
        })*
    };
}

structs! { SerializeStruct, SerializeStructVariant, }

#[cfg(test)]
mod tests {
    use super::*;

    fn of(now: u64, times: &[u64]) -> u128 {
        let mut fingerprint = Fingerprint::new(Mono(now * SECOND), Unix(now));
        for at in times {
            fingerprint.mono(Mono(at * SECOND));
        }
        fingerprint.finish()
    }

    #[test]
    fn times_count_relative_to_now_and_old_ones_by_their_order_alone() {
        assert_eq!(of(100, &[99, 103]), of(200, &[199, 203]), "the same, later");
        assert_ne!(of(100, &[99]), of(100, &[98]), "ages differ");
        assert_eq!(of(100, &[10, 20]), of(100, &[30, 40]), "both old, in the same order");
        assert_ne!(of(100, &[10, 20]), of(100, &[20, 10]), "both old, in the other order");
        assert_ne!(of(100, &[10, 10]), of(100, &[10, 20]), "both old, at once or not");
    }
}
