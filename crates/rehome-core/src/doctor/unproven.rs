//! What neither a reading nor a DryRun proves: said, so that silence isn't taken for proof.

use alloc::format;
use alloc::vec::Vec;

use super::case::Case;
use super::{Judged, Judgment};

pub(super) fn unproven(case: &Case<'_>) -> Judgment {
    let mut judged = alloc::vec![
        Judged::unproven(
            "that EC2 has capacity in a zone, and that the account's quotas leave room: a DryRun \
             asks for neither",
            "`aws service-quotas list-service-quotas --service-code ec2`; capacity can only be \
             reserved",
        ),
        Judged::unproven(
            "that user data does in a replacement what it should",
            "rehome user-data render --check runs it in a lab",
        ),
        Judged::unproven(
            "that the source/dest check, the routes and the end of *later* holders are permitted: \
             they don't exist yet, and policies may go by their tags",
            "see docs/permissions.md for the statements by tag",
        ),
        Judged::unproven(
            "that the ports of your application are admitted, and that the guest's own firewall \
             lets pings through",
            "try them through the address, from a client",
        ),
    ];
    let Ok(begun) = case.begun() else { return Ok(judged) };
    let spec = &begun.record.spec;
    let home = &begun.record.holder;
    if let Some(profile) = &spec.profile {
        judged.push(Judged::unproven(
            format!(
                "that the role in {profile} may be passed: AWS doesn't say that a DryRun looks"
            ),
            "allow iam:PassRole on the role in the profile (docs/permissions.md)",
        ));
    }
    let keys: Vec<&str> =
        spec.devices.iter().filter_map(|device| device.kms_key.as_deref()).collect();
    if let Some(key) = keys.first() {
        judged.push(Judged::unproven(
            format!("that the volumes' key {key} may be used: EC2 tries it after the launch"),
            "allow kms:CreateGrant, kms:Decrypt and kms:GenerateDataKeyWithoutPlaintext on it",
        ));
    }
    if case.monitor().is_none() {
        judged.push(Judged::unproven(
            format!("the way from this machine to {}: it isn't in the holder's VPC", home.subnet),
            "ping the address from here, and read the rules of everything between",
        ));
    }
    Ok(judged)
}
