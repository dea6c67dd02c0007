//! Objects by id that remember, for a while, what they were.
//!
//! EC2's reads may come from a replica that is behind its writes ("Eventual consistency", EC2
//! Developer Guide). A [`Shelf`] keeps old versions as long as the longest lag asked for, so that
//! a read can be answered as of an earlier moment.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// The current objects, and old versions while somebody may still read them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shelf<T> {
    items: BTreeMap<String, T>,
    /// In the order in which they ended.
    past: Vec<Past<T>>,
    keep_ms: u64,
}

/// A version that held until `until`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Past<T> {
    id: String,
    until: Time,
    value: T,
}

impl<T> Default for Shelf<T> {
    fn default() -> Shelf<T> {
        Shelf { items: BTreeMap::new(), past: Vec::new(), keep_ms: 0 }
    }
}

impl<T: Clone> Shelf<T> {
    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        self.items.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &T)> {
        self.items.iter()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.items.values()
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.items.keys().cloned().collect()
    }

    pub(crate) fn insert(&mut self, id: &str, value: T) {
        self.items.insert(id.to_owned(), value);
    }

    /// The object to change; what it was until `now` stays readable.
    pub(crate) fn edit(&mut self, id: &str, now: Time) -> Option<&mut T> {
        self.remember(id, now);
        self.items.get_mut(id)
    }

    /// Changes what no read can be behind on.
    pub(crate) fn refresh(&mut self, mut change: impl FnMut(&mut T)) {
        self.items.values_mut().for_each(&mut change);
    }

    pub(crate) fn remove(&mut self, id: &str, now: Time) -> Option<T> {
        self.remember(id, now);
        self.items.remove(id)
    }

    /// What the object was at `time`. One made later is told as it was first: hiding new ids is
    /// the visibility delay's business.
    pub(crate) fn at(&self, id: &str, time: Time) -> Option<&T> {
        let old = self.past.iter().find(|past| past.id == id && past.until > time);
        old.map(|past| &past.value).or_else(|| self.items.get(id))
    }

    /// Every object of `time`, by id.
    pub(crate) fn all_at(&self, time: Time) -> Vec<&T> {
        if self.past.is_empty() {
            return self.items.values().collect();
        }
        let mut ids: BTreeSet<&String> = self.items.keys().collect();
        ids.extend(self.past.iter().filter(|past| past.until > time).map(|past| &past.id));
        ids.into_iter().filter_map(|id| self.at(id, time)).collect()
    }

    /// How far back reads may reach from now on.
    pub(crate) fn set_keep(&mut self, keep_ms: u64) {
        self.keep_ms = keep_ms;
        if keep_ms == 0 {
            self.past.clear();
        }
    }

    fn remember(&mut self, id: &str, now: Time) {
        if self.keep_ms == 0 {
            return;
        }
        let keep_ms = self.keep_ms;
        self.past.retain(|past| past.until.plus(keep_ms) >= now);
        if let Some(value) = self.items.get(id) {
            self.past.push(Past { id: id.to_owned(), until: now, value: value.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shelf_answers_as_of_an_earlier_moment() {
        let mut shelf = Shelf::default();
        shelf.set_keep(100);
        shelf.insert("a", 1);
        *shelf.edit("a", Time(10)).unwrap() = 2;
        *shelf.edit("a", Time(20)).unwrap() = 3;
        shelf.remove("a", Time(30));
        for (time, value) in [(5, Some(1)), (10, Some(2)), (19, Some(2)), (29, Some(3)), (30, None)]
        {
            assert_eq!(shelf.at("a", Time(time)).copied(), value, "at {time}");
        }
        assert_eq!(shelf.all_at(Time(25)), [&3]);
        shelf.insert("b", 7);
        shelf.edit("b", Time(500));
        assert_eq!(shelf.at("a", Time(5)), None, "versions older than the lag are gone");
    }
}
