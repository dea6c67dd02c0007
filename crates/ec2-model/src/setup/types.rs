//! The instance types that an account knows from the start.

use std::collections::{BTreeMap, BTreeSet};

use crate::world::InstanceType;

/// The types people use for a small gateway: the burstable families and the smaller sizes of the
/// general ones. Cores and threads: "Amazon EC2 instance types".
pub(crate) fn common_types() -> BTreeMap<String, InstanceType> {
    const BURSTABLE: [(&str, i64); 7] = [
        ("nano", 2),
        ("micro", 2),
        ("small", 2),
        ("medium", 2),
        ("large", 2),
        ("xlarge", 4),
        ("2xlarge", 8),
    ];
    const GENERAL: [(&str, i64); 4] =
        [("large", 2), ("xlarge", 4), ("2xlarge", 8), ("4xlarge", 16)];
    let mut types = BTreeMap::new();
    let mut add = |name: String, vcpus: i64, arm: bool, credits: Option<&str>| {
        let threads_per_core = if arm || vcpus == 1 { 1 } else { 2 };
        let kind = InstanceType {
            cores: vcpus / threads_per_core,
            threads_per_core,
            cpu_credits: credits.map(str::to_owned),
            architecture: if arm { "arm64" } else { "x86_64" }.to_owned(),
            store_gb: store_gb(&name),
            missing_in: BTreeSet::new(),
        };
        types.insert(name, kind);
    };
    add("m1.small".to_owned(), 1, false, None);
    for (family, arm) in [("t3", false), ("t3a", false), ("t4g", true)] {
        for (size, vcpus) in BURSTABLE {
            add(format!("{family}.{size}"), vcpus, arm, Some("unlimited"));
        }
    }
    for (size, vcpus) in [("nano", 1), ("micro", 1), ("small", 1), ("medium", 2), ("large", 2)] {
        add(format!("t2.{size}"), vcpus, false, Some("standard"));
    }
    for (family, arm) in [
        ("c5", false),
        ("c6i", false),
        ("c7g", true),
        ("c7i", false),
        ("m5", false),
        ("m5d", false),
        ("m6g", true),
        ("m6i", false),
        ("m7g", true),
        ("m7i", false),
        ("r5", false),
    ] {
        for (size, vcpus) in GENERAL {
            add(format!("{family}.{size}"), vcpus, arm, None);
        }
    }
    types
}

/// The instance stores of the types above that have one ("Instance store volume limits").
fn store_gb(name: &str) -> i64 {
    match name {
        "m1.small" => 160,
        "m5d.large" => 75,
        "m5d.xlarge" => 150,
        "m5d.2xlarge" => 300,
        "m5d.4xlarge" => 600,
        _ => 0,
    }
}
