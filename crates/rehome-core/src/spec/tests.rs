//! `docs/launch-spec.md`, row by row: what a replacement is copied or rebuilt from.

use super::*;
use crate::world::{
    AttachedVolume, ImageDevice, InstanceState, Interface, Placement, PublicAddress,
};

const DOCUMENT: &str = include_str!("../../../../docs/launch-spec.md");

/// One row of a table: its first cell, and what shows that it is true.
struct Row {
    cell: &'static str,
    shown: Shown,
}

enum Shown {
    /// By these fields of the spec, and this look at them.
    Here { fields: &'static [&'static str], look: fn(&Specs) },
    /// By tests of whatever else does it.
    Elsewhere(&'static [Witness]),
}

/// A test of another file.
struct Witness {
    file: &'static str,
    test: &'static str,
}

/// The specs of three holders.
struct Specs {
    /// Everything that can be set, is; of wishes only the groups, which always are.
    full: LaunchSpec,
    /// The same holder, and every wish there is.
    wished: LaunchSpec,
    /// A holder with as little as EC2 may tell.
    plain: LaunchSpec,
}

const PLACEMENT: &str = include_str!("../placement.rs");
const CONTROLLER: &str = include_str!("../controller/tests.rs");
const CALLS: &str = include_str!("../../../rehome/src/aws/calls/tests.rs");
const TEMPLATE: &str = include_str!("../../../rehome/src/template/tests.rs");
const WRITE: &str = include_str!("../../../rehome/src/aws/write.rs");

const COPIED: &[Row] = &[
    Row {
        cell: "image",
        shown: Shown::Here {
            fields: &["image"],
            look: |specs| {
                assert_eq!(specs.full.image.as_str(), "ami-0000000a");
                assert_eq!(specs.wished.image.as_str(), "ami-0000000b");
            },
        },
    },
    Row {
        cell: "instance type",
        shown: Shown::Here {
            fields: &["instance_type"],
            look: |specs| {
                assert_eq!(specs.full.instance_type.as_str(), "t3.micro");
                assert_eq!(specs.wished.instance_type.as_str(), "m5.large");
            },
        },
    },
    Row {
        cell: "key pair",
        shown: Shown::Here {
            fields: &["key"],
            look: |specs| {
                assert_eq!(specs.full.key, Some("my-keypair".parse().unwrap()));
                assert_eq!(specs.wished.key, Some("another".parse().unwrap()));
                assert_eq!(specs.plain.key, None);
            },
        },
    },
    Row {
        cell: "security groups",
        shown: Shown::Here {
            fields: &["groups"],
            look: |specs| {
                let wished: GroupId = "sg-0000000b".parse().unwrap();
                assert_eq!(specs.full.groups, [wished]);
            },
        },
    },
    Row {
        cell: "instance profile",
        shown: Shown::Here {
            fields: &["profile"],
            look: |specs| {
                assert_eq!(specs.full.profile.as_deref(), Some(PROFILE));
                assert_eq!(specs.plain.profile, None);
            },
        },
    },
    Row {
        cell: "EBS-optimized, detailed monitoring",
        shown: Shown::Here {
            fields: &["ebs_optimized", "monitoring"],
            look: |specs| {
                assert!(specs.full.ebs_optimized && specs.full.monitoring);
                assert!(!specs.plain.ebs_optimized && !specs.plain.monitoring);
            },
        },
    },
    Row {
        cell: "metadata options",
        shown: Shown::Here {
            fields: &["metadata"],
            look: |specs| {
                assert_eq!(specs.full.metadata, Some(metadata()));
                assert_eq!(specs.plain.metadata, None);
            },
        },
    },
    Row {
        cell: "CPU options, credit specification",
        shown: Shown::Here {
            fields: &["cpu", "credits"],
            look: |specs| {
                assert_eq!(specs.full.cpu, Some(CpuOptions { cores: 1, threads_per_core: 1 }));
                assert_eq!(specs.full.credits.as_deref(), Some("unlimited"));
                assert_eq!((&specs.wished.cpu, &specs.wished.credits), (&None, &None));
                assert_eq!((&specs.plain.cpu, &specs.plain.credits), (&None, &None));
            },
        },
    },
    Row {
        cell: "shutdown behavior",
        shown: Shown::Here {
            fields: &["shutdown_behavior"],
            look: |specs| {
                assert_eq!(specs.full.shutdown_behavior.as_deref(), Some("terminate"));
                assert_eq!(specs.plain.shutdown_behavior, None);
            },
        },
    },
    Row {
        cell: "dedicated tenancy",
        shown: Shown::Here {
            fields: &["dedicated"],
            look: |specs| {
                assert!(specs.full.dedicated);
                assert!(!specs.plain.dedicated, "it is on a Dedicated Host");
            },
        },
    },
    Row {
        cell: "placement group, partition",
        shown: Shown::Here { fields: &["placement_group", "partition"], look: placement },
    },
    Row { cell: "tags", shown: Shown::Here { fields: &["tags"], look: tags } },
];

const REBUILT: &[Row] = &[
    Row { cell: "volumes", shown: Shown::Here { fields: &["devices"], look: volumes } },
    Row {
        cell: "primary interface",
        shown: Shown::Elsewhere(&[Witness {
            file: WRITE,
            test: "a_plain_launch_says_where_by_its_one_interface_and_nothing_superfluous",
        }]),
    },
    Row {
        cell: "IPv6 addresses",
        shown: Shown::Here {
            fields: &["ipv6_addresses"],
            look: |specs| {
                assert_eq!((specs.full.ipv6_addresses, specs.plain.ipv6_addresses), (2, 0));
            },
        },
    },
    Row {
        cell: "public IPv4 address",
        shown: Shown::Here {
            fields: &["public_address"],
            look: |specs| {
                assert!(specs.full.public_address);
                assert!(!specs.plain.public_address, "it has an Elastic IP");
            },
        },
    },
    Row {
        cell: "user data",
        shown: Shown::Elsewhere(&[
            Witness {
                file: TEMPLATE,
                test: "the_missions_variables_are_filled_in_and_nothing_is_escaped",
            },
            Witness {
                file: CALLS,
                test: "a_launch_carries_its_token_and_user_data_and_tells_the_new_instance",
            },
        ]),
    },
    Row {
        cell: "source/dest check",
        shown: Shown::Elsewhere(&[
            // Candidates of that world are born with the check on, and don't serve with it.
            Witness {
                file: CONTROLLER,
                test: "a_dead_holder_is_replaced_in_the_next_az_and_the_lines_are_the_missions",
            },
            Witness { file: CONTROLLER, test: "an_error_at_any_mutation_is_survived" },
        ]),
    },
    Row {
        cell: "subnet",
        shown: Shown::Elsewhere(&[
            Witness {
                file: PLACEMENT,
                test: "the_holders_table_decides_between_subnets_of_a_zone",
            },
            Witness {
                file: PLACEMENT,
                test: "without_the_holders_table_the_kind_of_default_route_decides",
            },
            Witness { file: PLACEMENT, test: "rivals_are_named_and_a_word_decides" },
            Witness { file: PLACEMENT, test: "a_full_subnet_is_no_place" },
        ]),
    },
];

const PROFILE: &str = "arn:aws:iam::123456789012:instance-profile/web";

fn metadata() -> MetadataOptions {
    MetadataOptions {
        http_tokens: Some("required".into()),
        hop_limit: Some(2),
        http_endpoint: Some("enabled".into()),
        http_protocol_ipv6: Some("disabled".into()),
        instance_tags: Some("enabled".into()),
    }
}

fn tagged(tags: &[&str]) -> BTreeMap<String, String> {
    tags.iter().map(|key| ((*key).to_string(), "x".to_string())).collect()
}

fn interface() -> Interface {
    Interface {
        id: "eni-0000000a".parse().unwrap(),
        device_index: 0,
        address: Some(core::net::Ipv4Addr::new(172, 31, 48, 10)),
        source_dest_check: Some(false),
        groups: alloc::vec!["sg-0000000a".parse().unwrap()],
        delete_on_termination: true,
        ipv6_addresses: 2,
        secondary_addresses: 1,
        public: Some(PublicAddress { address: "198.51.100.7".into(), elastic: false }),
    }
}

/// A holder with every field set; one volume besides those that its image maps.
fn full() -> Instance {
    let at = |device: &str, volume: &str| AttachedVolume {
        device: device.to_string(),
        volume: volume.to_string(),
    };
    Instance {
        id: "i-0000000a".parse().unwrap(),
        state: InstanceState::Running,
        state_reason: None,
        az: Some("us-east-1a".parse().unwrap()),
        subnet: Some("subnet-0000000a".parse().unwrap()),
        vpc: Some("vpc-0000000a".parse().unwrap()),
        address: Some(core::net::Ipv4Addr::new(172, 31, 48, 10)),
        interfaces: alloc::vec![interface()],
        image: Some("ami-0000000a".parse().unwrap()),
        instance_type: Some("t3.micro".parse().unwrap()),
        key: Some("my-keypair".parse().unwrap()),
        profile: Some(PROFILE.into()),
        tags: tagged(&["Name", "aws:cloudformation:stack-name", "rehome:vip", "a b", "a/b"]),
        root_device_type: Some("ebs".into()),
        root_device: Some("/dev/xvda".into()),
        volumes: alloc::vec![
            at("/dev/xvda", "vol-1"),
            at("/dev/sdb", "vol-2"),
            at("/dev/sdf", "vol-3"),
        ],
        ebs_optimized: true,
        monitoring: true,
        metadata: Some(metadata()),
        cpu: Some(CpuOptions { cores: 1, threads_per_core: 1 }),
        placement: Placement {
            tenancy: Some("dedicated".into()),
            group: Some("apart".into()),
            partition: Some(3),
            host: None,
        },
        spot_request: Some("sir-1".into()),
        managed_by: None,
    }
}

/// A holder with as little as EC2 may tell, on a Dedicated Host in a cluster, with an Elastic IP.
fn plain() -> Instance {
    Instance {
        interfaces: alloc::vec![Interface {
            ipv6_addresses: 0,
            public: Some(PublicAddress { address: "198.51.100.8".into(), elastic: true }),
            ..interface()
        }],
        key: None,
        profile: None,
        tags: tagged(&["a/b"]),
        volumes: Vec::new(),
        ebs_optimized: false,
        monitoring: false,
        metadata: None,
        cpu: None,
        placement: Placement {
            tenancy: Some("host".into()),
            group: Some("tight".into()),
            partition: Some(1),
            host: Some("h-1".into()),
        },
        ..full()
    }
}

/// What is read beside the full holder.
fn parts() -> Parts {
    let volume = |id: &str, size_gib, encrypted: bool| Volume {
        id: id.to_string(),
        size_gib,
        kind: "gp3".to_string(),
        iops: Some(4_000),
        throughput: Some(250),
        encrypted,
        kms_key: encrypted.then(|| "arn:aws:kms:us-east-1:123456789012:key/k".to_string()),
    };
    let device = |device: &str, delete_on_termination| ImageDevice {
        device: device.to_string(),
        delete_on_termination,
    };
    Parts {
        image: Some(Image {
            id: "ami-0000000a".parse().unwrap(),
            available: true,
            devices: alloc::vec![device("/dev/xvda", true), device("/dev/sdb", false)],
        }),
        volumes: alloc::vec![
            volume("vol-1", 30, true),
            volume("vol-2", 100, false),
            volume("vol-3", 500, false),
        ],
        credits: Some("unlimited".into()),
        shutdown_behavior: Some("terminate".into()),
        placement_strategy: Some("partition".into()),
        instance_store: false,
        spot_kind: None,
    }
}

/// The groups of the command line.
fn grouped() -> Wishes {
    Wishes { groups: alloc::vec!["sg-0000000b".parse().unwrap()], ..Wishes::default() }
}

fn specs() -> Specs {
    let all = Wishes {
        key: Some("another".parse().unwrap()),
        image: Some("ami-0000000b".parse().unwrap()),
        instance_type: Some("m5.large".parse().unwrap()),
        ..grouped()
    };
    let cluster = Parts { placement_strategy: Some("cluster".into()), ..Parts::default() };
    Specs {
        full: LaunchSpec::of(&full(), &parts(), &grouped()).unwrap(),
        wished: LaunchSpec::of(&full(), &parts(), &all).unwrap(),
        plain: LaunchSpec::of(&plain(), &cluster, &grouped()).unwrap(),
    }
}

fn placement(specs: &Specs) {
    assert_eq!(specs.full.placement_group.as_deref(), Some("apart"));
    assert_eq!(specs.full.partition, Some(3));
    assert_eq!(specs.plain.placement_group, None, "a cluster lies in one zone");
    assert_eq!(specs.plain.partition, None);
    let spread = Parts { placement_strategy: Some("spread".into()), ..parts() };
    let spread = LaunchSpec::of(&full(), &spread, &grouped()).unwrap();
    assert_eq!(spread.placement_group.as_deref(), Some("apart"));
}

fn tags(specs: &Specs) {
    assert_eq!(specs.full.tags, tagged(&["Name"]));
    assert_eq!(specs.plain.tags, tagged(&["a/b"]), "metadata doesn't show tags");
    let keys: Vec<String> = (0..TAGS_MAX).map(|n| format!("key-{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let holder = Instance { tags: tagged(&keys), ..full() };
    let spec = LaunchSpec::of(&holder, &parts(), &grouped()).unwrap();
    assert_eq!(spec.tags.len(), 46);
}

fn volumes(specs: &Specs) {
    let of_image = |device: &str, size_gib, encrypted: bool, delete_on_termination| BlockDevice {
        device: device.to_string(),
        size_gib,
        kind: "gp3".to_string(),
        iops: Some(4_000),
        throughput: Some(250),
        encrypted,
        kms_key: encrypted.then(|| "arn:aws:kms:us-east-1:123456789012:key/k".to_string()),
        delete_on_termination,
    };
    let wanted = [of_image("/dev/xvda", 30, true, true), of_image("/dev/sdb", 100, false, false)];
    assert_eq!(specs.full.devices, wanted);
}

/// The first cells of the rows under a heading of the document.
fn cells(heading: &str) -> Vec<&'static str> {
    let (_, rest) = DOCUMENT.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let section = rest.split("\n## ").next().unwrap_or(rest);
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| row.split('|').nth(1).expect("a first cell").trim()).collect()
}

fn rows() -> impl Iterator<Item = &'static Row> {
    COPIED.iter().chain(REBUILT)
}

#[test]
fn the_document_has_exactly_the_rows_that_are_checked() {
    for (heading, rows) in [("Copied as read", COPIED), ("Rebuilt", REBUILT)] {
        let checked: Vec<&str> = rows.iter().map(|row| row.cell).collect();
        assert_eq!(cells(heading), checked, "{heading}");
    }
}

#[test]
fn each_row_is_true_of_a_holder_with_all_of_it_and_of_one_with_little() {
    let specs = specs();
    for row in rows() {
        match &row.shown {
            Shown::Here { look, .. } => look(&specs),
            Shown::Elsewhere(witnesses) => {
                for Witness { file, test } in *witnesses {
                    let there = file.contains(&format!("fn {test}()"));
                    assert!(there, "{}: the test {test} is gone", row.cell);
                }
            }
        }
    }
}

#[test]
fn each_field_of_a_spec_has_its_row() {
    let spec = serde_json::to_value(specs().full).unwrap();
    let mut fields: Vec<&str> = spec.as_object().unwrap().keys().map(String::as_str).collect();
    let mut told: Vec<&str> = rows()
        .flat_map(|row| match &row.shown {
            Shown::Here { fields, .. } => *fields,
            Shown::Elsewhere(_) => &[],
        })
        .copied()
        .collect();
    fields.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, fields);
}

#[test]
fn what_people_change_on_a_running_holder_follows_and_the_rest_stays() {
    let before = specs().full;
    let shown = MetadataOptions { http_tokens: Some("optional".into()), ..metadata() };
    let changed = Instance { metadata: Some(shown.clone()), tags: tagged(&["Role"]), ..plain() };
    let wanted = LaunchSpec {
        profile: None,
        monitoring: false,
        metadata: Some(shown),
        tags: tagged(&["Role"]),
        ..before.clone()
    };
    assert_eq!(before.refreshed(&changed, &grouped()), wanted);
}
