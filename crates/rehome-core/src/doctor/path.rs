//! What lets packets through between this machine and the address: the source/dest check here,
//! groups at both ends, network ACLs before both.
//!
//! The mission's own trap: a rule that names a group admits the *interfaces* that are members of
//! it, by their own addresses. A monitor that is a member still isn't admitted when it pings from
//! its overlay address; that takes a rule for the address.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::case::{Case, read};
use super::rules::{Acl, Admission, Echo, End, GroupRules, LAST_ENTRY, admits};
use super::{Judged, Judgment, Verdict};
use crate::names::{GroupId, SubnetId};
use crate::net::Cidr;
use crate::verdict::list;

/// EC2 drops what this machine sends from an address that isn't its interface's own.
pub(super) fn source_dest_check(case: &Case<'_>) -> Judgment {
    let overlay = case.overlay_sources()?;
    let Some((monitor, interface)) = case.monitor() else {
        return Ok(alloc::vec![Judged::ok("rehome doesn't run in the holder's VPC")]);
    };
    let id = &interface.id;
    Ok(alloc::vec![match interface.source_dest_check {
        Some(true) if overlay.is_empty() => {
            Judged::ok(format!("on, on {id}, which matters to no address that is probed from"))
        }
        Some(true) => Judged::failure(
            format!(
                "on, on {id} of this machine ({}): EC2 drops what is sent from and to {}",
                monitor.id,
                list(overlay.iter())
            ),
            super::holder::command(id),
        ),
        Some(false) => Judged::ok(format!("off on {id}")),
        None => Judged::unknown(format!("EC2 doesn't say whether it is on, on {id}")),
    }])
}

/// The groups of a source: those of the interface whose own address it is.
fn groups_of<'c>(case: &'c Case<'_>, source: Ipv4Addr) -> &'c [GroupId] {
    case.monitor()
        .into_iter()
        .flat_map(|(monitor, _)| &monitor.interfaces)
        .find(|interface| interface.address == Some(source))
        .map_or(&[], |interface| interface.groups.as_slice())
}

/// Whether the groups of the holder and of replacements let pings of each source in.
pub(super) fn ingress(case: &Case<'_>) -> Judgment {
    let begun = case.begun()?;
    if case.order.sources.is_empty() {
        return Err("it isn't known which address probes leave from".into());
    }
    // EC2's own word on the holder's groups, where it still gives one; the record's else.
    let interface = &begun.record.holder.interface;
    let now = case.holder().ok().and_then(|holder| holder.interface(interface));
    let holder = now.map_or(&begun.record.holder.groups, |interface| &interface.groups);
    let later = &begun.record.spec.groups;
    let same = holder.iter().all(|id| later.contains(id)) && holder.len() == later.len();
    let ends: &[(&str, &Vec<GroupId>)] = if same {
        &[("the holder and its replacements", later)]
    } else {
        &[("the holder", holder), ("replacements", later)]
    };
    let mut judged = Vec::new();
    for (whom, ids) in ends {
        let groups = case.rules_of(ids)?;
        for source in &case.order.sources {
            judged.push(let_in(
                whom,
                &groups,
                *source,
                End { block: Cidr::host(*source), groups: groups_of(case, *source) },
            ));
        }
    }
    Ok(as_seen_from(case, judged))
}

/// Outside the VPC our address may be another one by the time it gets there.
fn as_seen_from(case: &Case<'_>, mut judged: Vec<Judged>) -> Vec<Judged> {
    if case.monitor().is_some() {
        return judged;
    }
    for one in judged.iter_mut().filter(|one| one.verdict == Verdict::Failure) {
        one.verdict = Verdict::Warning;
        one.evidence.push_str(
            "; this machine isn't in the holder's VPC, so its address may be translated on the way",
        );
    }
    judged
}

fn let_in(whom: &str, groups: &[&GroupRules], source: Ipv4Addr, from: End<'_>) -> Judged {
    let ids = list(groups.iter().map(|group| &group.id));
    match admits(groups.iter().flat_map(|group| &group.ingress), from) {
        Admission::Admitted => Judged::ok(format!("{ids} lets pings of {source} in to {whom}")),
        Admission::Unclear(lists) => Judged::unknown(format!(
            "{ids} lets pings of {source} in to {whom} only if {} has that address",
            lists.join(", ")
        )),
        Admission::Refused => {
            let mut evidence = format!("no rule of {ids} lets pings of {source} in to {whom}");
            let by_group: Vec<&GroupId> = groups
                .iter()
                .flat_map(|group| &group.ingress)
                .flat_map(super::Rule::ping_groups)
                .collect();
            if let Some(group) = by_group.first() {
                evidence.push_str(&format!(
                    "; the rule for members of {group} admits the addresses of their interfaces, \
                     and {source} is none"
                ));
            }
            Judged::failure(evidence, authorize("ingress", groups, Cidr::host(source)))
        }
    }
}

fn authorize(way: &str, groups: &[&GroupRules], block: Cidr) -> String {
    let group = groups.first().map_or_else(|| "SECURITY-GROUP".into(), |g| g.id.to_string());
    format!(
        "aws ec2 authorize-security-group-{way} --group-id {group} --ip-permissions \
         'IpProtocol=icmp,FromPort=-1,ToPort=-1,IpRanges=[{{CidrIp={block}}}]'"
    )
}

/// Whether this machine's own groups let pings out: to the address, to the holder, and to every
/// address that a replacement may get, which has to answer before the address is moved to it. And
/// whether replacements could send anything of their own accord.
pub(super) fn egress(case: &Case<'_>) -> Judgment {
    let begun = case.begun()?;
    let mut judged: Vec<Judged> = speechless(case, &begun.record.spec.groups).into_iter().collect();
    let Some((_, interface)) = case.monitor() else {
        judged.push(Judged::ok("rehome doesn't run in the holder's VPC"));
        return Ok(judged);
    };
    let groups = case.rules_of(&interface.groups)?;
    let ids = list(groups.iter().map(|group| &group.id));
    let holder = &begun.record.holder;
    let mut targets = alloc::vec![
        End { block: Cidr::host(case.order.vip.address), groups: &[] },
        End { block: Cidr::host(holder.address), groups: &holder.groups },
    ];
    let later = &begun.record.spec.groups;
    targets.extend(begun.sites.order.iter().map(|site| End { block: site.cidr, groups: later }));
    let mut open: Vec<String> = Vec::new();
    for to in targets {
        let whom = words(to.block);
        match admits(groups.iter().flat_map(|group| &group.egress), to) {
            Admission::Admitted => open.push(whom),
            Admission::Unclear(lists) => judged.push(Judged::unknown(format!(
                "{ids} lets pings to {whom} out only if {} has that address",
                lists.join(", ")
            ))),
            Admission::Refused => judged.push(Judged::failure(
                format!("no rule of {ids}, this machine's, lets pings to {whom} out"),
                authorize("egress", &groups, to.block),
            )),
        }
    }
    if !open.is_empty() {
        judged.push(Judged::ok(format!("{ids} lets pings out to {}", list(open.iter()))));
    }
    Ok(judged)
}

/// Groups of replacements without any rule for what goes out. Answers pass all the same, because
/// groups keep state; updates, packages and the metadata of other services don't.
fn speechless(case: &Case<'_>, later: &[GroupId]) -> Option<Judged> {
    // Groups that can't be read are `security-group`'s and `ingress`'s matter.
    let groups = case.rules_of(later).ok()?;
    if groups.iter().any(|group| !group.egress.is_empty()) {
        return None;
    }
    let ids = list(groups.iter().map(|group| &group.id));
    let id = &groups.first()?.id;
    Some(Judged::warning(
        format!("no rule of {ids} lets replacements send anything but answers"),
        format!(
            "aws ec2 authorize-security-group-egress --group-id {id} --ip-permissions \
             'IpProtocol=-1,IpRanges=[{{CidrIp=0.0.0.0/0}}]'"
        ),
    ))
}

/// One address without its prefix.
fn words(block: Cidr) -> String {
    if block.prefix() == 32 { block.network().to_string() } else { block.to_string() }
}

/// One packet that has to pass one ACL.
struct Passage<'a> {
    subnet: &'a SubnetId,
    egress: bool,
    echo: Echo,
    /// Whoever is at the other end.
    other: Cidr,
}

/// Whether the network ACLs let requests and answers pass, at this machine's subnet and at the
/// subnets of the holder and of replacements. They see the overlay addresses: nothing translates.
/// This machine also asks the primary addresses: the holder's, and whichever a replacement gets,
/// before the address is moved to it.
pub(super) fn network_acl(case: &Case<'_>) -> Judgment {
    let acls = read("DescribeNetworkAcls", &case.facts.acls)?;
    let near = case.monitor().and_then(|(monitor, _)| monitor.subnet.as_ref());
    // What stays in its subnet passes no ACL.
    let far: Vec<&SubnetId> =
        case.homes()?.into_iter().filter(|subnet| Some(*subnet) != near).collect();
    let mut passages = Vec::new();
    if let (Some(subnet), false) = (near, far.is_empty()) {
        for other in answering(case, &far)? {
            passages.push(Passage { subnet, egress: true, echo: Echo::Request, other });
            passages.push(Passage { subnet, egress: false, echo: Echo::Reply, other });
        }
    }
    for subnet in &far {
        for source in &case.order.sources {
            let other = Cidr::host(*source);
            passages.push(Passage { subnet, egress: false, echo: Echo::Request, other });
            passages.push(Passage { subnet, egress: true, echo: Echo::Reply, other });
        }
    }
    let mut judged: Vec<Judged> = Vec::new();
    for passage in &passages {
        let Some(acl) = acls.iter().find(|acl| acl.subnets.contains(passage.subnet)) else {
            judged.push(Judged::unknown(format!("no ACL is shown before {}", passage.subnet)));
            continue;
        };
        judged.extend(denied(acl, passage).filter(|one| !judged.contains(one)));
    }
    judged.dedup();
    if judged.is_empty() {
        let mut subnets: Vec<&SubnetId> = near.into_iter().chain(far).collect();
        subnets.dedup();
        judged.push(Judged::ok(format!(
            "pings and their answers pass before {}",
            list(subnets.into_iter())
        )));
    }
    Ok(as_seen_from(case, judged))
}

/// Who has to answer from these subnets: the address, the holder, and whatever address of a
/// subnet a replacement gets.
fn answering(case: &Case<'_>, far: &[&SubnetId]) -> Result<Vec<Cidr>, String> {
    let begun = case.begun()?;
    let holder = &begun.record.holder;
    let sites = begun.sites.order.iter().filter(|site| far.contains(&&site.subnet));
    let mut all: Vec<Cidr> = sites.map(|site| site.cidr).collect();
    if far.contains(&&holder.subnet) && !all.iter().any(|block| block.contains(holder.address)) {
        all.insert(0, Cidr::host(holder.address));
    }
    all.insert(0, Cidr::host(case.order.vip.address));
    Ok(all)
}

/// What is wrong, where the ACL stops the packet.
fn denied(acl: &Acl, passage: &Passage<'_>) -> Option<Judged> {
    let Passage { egress, echo, other, .. } = *passage;
    let (stopped, number) = acl.stops(egress, echo, other)?;
    let (way, end) = if egress { ("out", "to") } else { ("in", "from") };
    let by = if number == LAST_ENTRY {
        "nothing allows them".to_string()
    } else {
        format!("its entry {number} denies them")
    };
    let part =
        if stopped == other { String::new() } else { format!(" of {other}, a replacement's") };
    let echo = echo.word();
    let whom = words(stopped);
    let evidence = format!("{} lets no {echo} {end} {whom}{part} {way}: {by}", acl.id);
    Some(Judged::failure(evidence, mend(acl, passage, number)))
}

fn mend(acl: &Acl, passage: &Passage<'_>, number: i32) -> String {
    let way = if passage.egress { "--egress" } else { "--ingress" };
    match acl.free_below(passage.egress, number) {
        Some(free) => format!(
            "aws ec2 create-network-acl-entry --network-acl-id {} {way} --rule-number {free} \
             --protocol 1 --icmp-type-code Type={},Code=-1 --cidr-block {} --rule-action allow",
            acl.id,
            passage.echo.icmp_type(),
            passage.other
        ),
        None => format!(
            "aws ec2 delete-network-acl-entry --network-acl-id {} {way} --rule-number {number}",
            acl.id
        ),
    }
}

/// Whether the machines answer whose silence would mean that we are blind. While none does, nothing
/// is ever moved.
pub(super) fn control_targets(case: &Case<'_>) -> Judgment {
    let controls = &case.order.controls;
    if controls.is_empty() {
        return Ok(alloc::vec![Judged::unproven(
            "that this machine isn't cut off whenever it hears nobody: no control target is named",
            "--control-target IP names a machine of yours in the VPC that always answers pings",
        )]);
    }
    let pings = |target: Ipv4Addr| case.facts.pings.iter().filter(move |one| one.target == target);
    let heard = |target: Ipv4Addr| pings(target).any(|ping| ping.heard == Ok(true));
    let any = controls.iter().any(|target| heard(*target));
    let judged = controls.iter().map(|target| {
        let unsent = pings(*target).find_map(|ping| ping.heard.as_ref().err());
        let fix = "let it answer pings of this machine (its groups and ACLs), or name another";
        match unsent {
            _ if heard(*target) => Judged::ok(format!("{target}: answers")),
            Some(why) => Judged::unknown(format!("{target}: {why}")),
            None if any => Judged::warning(format!("{target}: silent"), fix),
            None => {
                let what = "silent, and while no control target answers nothing is moved";
                Judged::failure(format!("{target}: {what}"), fix)
            }
        }
    });
    Ok(judged.collect())
}
