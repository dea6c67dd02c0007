//! What changed on the way between us and the holder.

use alloc::string::String;
use alloc::vec::Vec;

use crate::names::GroupId;
use crate::world::PathPart;

/// What may have closed between two readings. A part that only one of them has was asked for only
/// once (who we are isn't always told), unless it is a group that the holder has come to have, or
/// an ACL that has come in the place of another one.
pub(super) fn changes(before: &[PathPart], now: &[PathPart], groups: &[GroupId]) -> Vec<String> {
    let of_holder = |part: &PathPart| groups.iter().any(|id| part.name.ends_with(id.as_str()));
    let is_in = |parts: &[PathPart], part: &PathPart| parts.iter().any(|p| p.name == part.name);
    let left = before.iter().any(|part| part.is_acl() && !is_in(now, part));
    now.iter()
        .filter(|part| match before.iter().find(|other| other.name == part.name) {
            Some(other) => part.may_have_closed(other),
            None => of_holder(part) || (left && part.is_acl()),
        })
        .map(|part| part.name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::*;
    use crate::world::Effect;

    fn acl(id: &str, lines: &[&str]) -> PathPart {
        let lines = lines.iter().map(|line| (Effect::Passes, (*line).to_string()));
        PathPart::new(format!("network ACL {id}"), lines)
    }

    #[test]
    fn an_acl_in_the_place_of_another_is_a_change_and_one_more_or_less_is_none() {
        let (one, other) = (acl("acl-1", &["icmp"]), acl("acl-2", &["icmp"]));
        let both = [one.clone(), other.clone()];
        for (before, now, changed) in [
            (&both[..1], &both[1..], &["network ACL acl-2"][..]),
            (&both[..1], &both[..], &[]),
            (&both[..], &both[..1], &[]),
            (&both[..1], &[acl("acl-1", &[])][..], &["network ACL acl-1"]),
            (&both[..1], &[acl("acl-1", &["icmp", "tcp"])][..], &[]),
        ] {
            assert_eq!(changes(before, now, &[]), changed, "{before:?} {now:?}");
        }
    }
}
