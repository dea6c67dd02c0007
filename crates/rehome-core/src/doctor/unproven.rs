//! What neither a reading nor a DryRun proves: said, so that silence isn't taken for proof.

use alloc::format;
use alloc::vec::Vec;

use super::case::Case;
use super::{Judged, Judgment};

pub(super) fn capacity(_: &Case<'_>) -> Judgment {
    Ok(alloc::vec![Judged::unproven(
        "that EC2 has capacity in a zone, and that the account's quotas leave room: a DryRun asks \
         for neither",
        "`aws service-quotas list-service-quotas --service-code ec2` shows the quotas; capacity \
         can only be reserved",
    )])
}

pub(super) fn boot(_: &Case<'_>) -> Judgment {
    Ok(alloc::vec![Judged::unproven(
        "that user data does in a replacement what it should",
        "`rehome user-data render --check` runs it in a lab",
    )])
}

pub(super) fn successors(_: &Case<'_>) -> Judgment {
    Ok(alloc::vec![Judged::unproven(
        "that the source/dest check and the end of *later* holders are permitted: they don't exist \
         yet, and policies may go by their tags",
        "docs/permissions.md has the statements by tag",
    )])
}

pub(super) fn application(_: &Case<'_>) -> Judgment {
    Ok(alloc::vec![Judged::unproven(
        "that the ports of your application are admitted, in groups and ACLs and by the guest",
        "try them through the address, from a client",
    )])
}

/// Roles are passed only where there is a profile.
pub(super) fn pass_role(case: &Case<'_>) -> Judgment {
    let profile = case.begun().ok().and_then(|begun| begun.record.spec.profile.as_ref());
    let judged = profile.into_iter().map(|profile| {
        Judged::unproven(
            format!("that the role in {profile} may be passed: AWS promises no look at that"),
            "allow iam:PassRole on the role in the profile (docs/permissions.md)",
        )
    });
    Ok(judged.collect())
}

/// Keys are used where volumes are encrypted, and where the account encrypts every new volume,
/// which isn't read here (EBS user guide, "Enable Amazon EBS encryption by default").
pub(super) fn volume_key(case: &Case<'_>) -> Judgment {
    let Ok(begun) = case.begun() else { return Ok(Vec::new()) };
    let mut keys: Vec<&str> = Vec::new();
    for device in begun.record.spec.devices.iter().filter(|device| device.encrypted) {
        let key = device.kms_key.as_deref().unwrap_or("the account's default key");
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let judged = keys.into_iter().map(|key| {
        Judged::unproven(
            format!("that {key} may be used for volumes: EC2 tries it only after the launch"),
            "allow kms:CreateGrant, kms:Decrypt, kms:DescribeKey, \
             kms:GenerateDataKeyWithoutPlaintext and kms:ReEncrypt* on it",
        )
    });
    let mut judged: Vec<Judged> = judged.collect();
    judged.push(Judged::unproven(
        "that no further key is needed: an account that encrypts new volumes by default uses its \
         own for those that aren't encrypted now",
        "`aws ec2 get-ebs-encryption-by-default` and `aws ec2 get-ebs-default-kms-key-id` show it; \
         allow the same on a key of yours (docs/permissions.md)",
    ));
    Ok(judged)
}

/// From elsewhere, neither our groups nor our ACLs can be read.
pub(super) fn way_here(case: &Case<'_>) -> Judgment {
    let Ok(begun) = case.begun() else { return Ok(Vec::new()) };
    if case.monitor().is_some() {
        return Ok(Vec::new());
    }
    let subnet = &begun.record.holder.subnet;
    Ok(alloc::vec![Judged::unproven(
        format!("the way from this machine to {subnet}: it isn't in the holder's VPC"),
        "read the rules of everything between; see `answers`",
    )])
}
