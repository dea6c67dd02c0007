//! The tree of one instance's metadata, made anew for each request.
//!
//! Every leaf is one entry of a map by its whole path; folders are what leaves lie in, and their
//! listings follow from that. Names and forms are those of AWS's page "Instance metadata
//! categories" (EC2 User Guide). Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ec2_model::api::{GroupRef, Instance, InstanceNetworkInterface, Request, Response, Select};
use ec2_model::{Ec2, Time, Timestamp};
use serde::Serialize;

use super::super::credential;

/// The versions under which the one tree is served. Tools that don't say `latest` name a date.
const VERSIONS: &[&str] = &["1.0", "2009-04-04", "2021-07-15", "latest"];

/// How long fake role credentials say they last, and how often they are made anew: real ones
/// last about six hours and are there well before the old ones end.
const CREDENTIALS_LAST_MS: u64 = 6 * 3_600_000;
const CREDENTIALS_CHANGE_MS: u64 = 3_600_000;

/// What the model knows about the instance that asks.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) instance: Instance,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) subnet_cidr: String,
    pub(super) vpc_cidr: String,
    pub(super) user_data: Option<Vec<u8>>,
    pub(super) role: Option<String>,
    /// The moment of the request.
    pub(super) now: Timestamp,
}

/// What a path holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) media_type: &'static str,
}

/// Every leaf by its path below the version, without a slash in front.
#[derive(Debug, Default)]
pub(super) struct Tree {
    leaves: BTreeMap<String, Content>,
}

impl Facts {
    /// The instance that has this address and is switched on. Asked of the model as its operator
    /// does it: no bucket, fault or lag stands between an instance and its metadata.
    pub(super) fn of(ec2: &mut Ec2, now: Time, address: Ipv4Addr) -> Option<Facts> {
        let id = ec2.instance_at(address)?.to_owned();
        let plane = ec2.plane(now);
        let machine =
            plane.instances.into_iter().find(|machine| machine.id == id && machine.powered)?;
        let instance = ec2.instance(&id)?;
        let subnet = plane.subnets.iter().find(|subnet| subnet.id == machine.subnet)?;
        Some(Facts {
            account: ec2.account().to_owned(),
            region: ec2.region().to_owned(),
            subnet_cidr: subnet.cidr.to_string(),
            vpc_cidr: vpc_cidr(ec2, now, &subnet.vpc)?,
            user_data: machine.user_data,
            role: machine.iam_role,
            now: ec2.timestamp(now),
            instance,
        })
    }

    /// The instance's id.
    pub(super) fn id(&self) -> &str {
        &self.instance.instance_id
    }

    /// Whether the instance was launched without metadata.
    pub(super) fn disabled(&self) -> bool {
        let options = self.instance.metadata_options.as_ref();
        options.is_some_and(|options| options.http_endpoint == "disabled")
    }

    /// Whether the instance was launched with version 1 allowed, which asks for no token.
    pub(super) fn tokens_optional(&self) -> bool {
        let options = self.instance.metadata_options.as_ref();
        options.is_some_and(|options| options.http_tokens == "optional")
    }
}

impl Tree {
    /// The whole tree of an instance.
    pub(super) fn of(facts: &Facts) -> Tree {
        let mut tree = Tree::default();
        tree.identity(facts);
        tree.placement(facts);
        for interface in &facts.instance.network_interfaces {
            tree.interface(facts, interface);
        }
        tree.role(facts);
        tree.tags(facts);
        tree.document(facts);
        if let Some(data) = &facts.user_data {
            tree.put("user-data", data.clone(), "application/octet-stream");
        }
        tree
    }

    /// What a path of the service holds: a leaf, or the list of a folder, each with or without a
    /// slash at its end.
    pub(super) fn look(&self, path: &str) -> Option<Content> {
        let path = path.trim_matches('/');
        let (version, rest) = path.split_once('/').unwrap_or((path, ""));
        if version.is_empty() {
            return Some(plain(VERSIONS.join("\n")));
        }
        if !VERSIONS.contains(&version) {
            return None;
        }
        self.leaves.get(rest).cloned().or_else(|| self.list(rest))
    }

    /// A folder's list: a name a line, folders with a slash, no line end after the last.
    fn list(&self, folder: &str) -> Option<Content> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let names: BTreeSet<String> = self
            .leaves
            .range(prefix.clone()..)
            .map_while(|(path, _)| path.strip_prefix(&prefix))
            .map(|below| match below.split_once('/') {
                Some((name, _)) => format!("{name}/"),
                None => below.to_owned(),
            })
            .collect();
        if names.is_empty() {
            return None;
        }
        let mut lines: Vec<String> = names.into_iter().collect();
        if folder.is_empty() {
            // The first level has no slashes.
            lines = lines.iter().map(|line| line.replace('/', "")).collect();
        }
        Some(plain(lines.join("\n")))
    }

    fn put(&mut self, path: &str, bytes: Vec<u8>, media_type: &'static str) {
        let content = Content { bytes, media_type };
        self.leaves.insert(path.to_owned(), content);
    }

    fn text(&mut self, name: &str, value: impl ToString) {
        let content = plain(value.to_string());
        self.leaves.insert(format!("meta-data/{name}"), content);
    }

    fn identity(&mut self, facts: &Facts) {
        let instance = &facts.instance;
        self.text("ami-id", &instance.image_id);
        self.text("ami-launch-index", instance.ami_launch_index);
        self.text("ami-manifest-path", "(unknown)");
        self.text("hostname", &instance.private_dns_name);
        self.text("instance-action", "none");
        self.text("instance-id", &instance.instance_id);
        let cycle = instance.instance_lifecycle.as_deref();
        self.text("instance-life-cycle", cycle.unwrap_or("on-demand"));
        self.text("instance-type", &instance.instance_type);
        self.text("local-hostname", &instance.private_dns_name);
        if let Some(address) = instance.private_ip_address {
            self.text("local-ipv4", address);
        }
        if let Some(interface) = primary(instance) {
            self.text("mac", &interface.mac_address);
        }
        self.text("security-groups", lines(group_names(&instance.groups)));
        self.text("services/domain", "amazonaws.com");
        self.text("services/partition", "aws");
    }

    fn placement(&mut self, facts: &Facts) {
        let placement = &facts.instance.placement;
        self.text("placement/availability-zone", &placement.availability_zone);
        self.text("placement/availability-zone-id", &placement.availability_zone_id);
        self.text("placement/region", &facts.region);
    }

    fn interface(&mut self, facts: &Facts, interface: &InstanceNetworkInterface) {
        let folder = format!("network/interfaces/macs/{}", interface.mac_address);
        let mut put = |name: &str, value: String| self.text(&format!("{folder}/{name}"), value);
        let addresses = interface.private_ip_addresses.iter();
        let group_ids = interface.groups.iter().map(|group| group.group_id.clone());
        put("device-number", interface.attachment.device_index.to_string());
        put("interface-id", interface.network_interface_id.clone());
        put("local-hostname", interface.private_dns_name.clone());
        put("local-ipv4s", lines(addresses.map(|address| address.private_ip_address.to_string())));
        put("mac", interface.mac_address.clone());
        put("owner-id", interface.owner_id.clone());
        put("security-group-ids", lines(group_ids));
        put("security-groups", lines(group_names(&interface.groups)));
        put("subnet-id", interface.subnet_id.clone());
        put("subnet-ipv4-cidr-block", facts.subnet_cidr.clone());
        put("vpc-id", interface.vpc_id.clone());
        put("vpc-ipv4-cidr-block", facts.vpc_cidr.clone());
        put("vpc-ipv4-cidr-blocks", facts.vpc_cidr.clone());
    }

    /// The instance's role and keys for it that open nothing anywhere but in the lab.
    fn role(&mut self, facts: &Facts) {
        let made = Timestamp(facts.now.0 - facts.now.0 % CREDENTIALS_CHANGE_MS);
        if let Some(profile) = &facts.instance.iam_instance_profile {
            let info = ProfileInfo {
                code: "Success",
                last_updated: date(made),
                instance_profile_arn: &profile.arn,
                instance_profile_id: &profile.id,
            };
            self.text("iam/info", json(&info));
        }
        if let Some(role) = &facts.role {
            let keys = RoleKeys {
                code: "Success",
                last_updated: date(made),
                kind: "AWS-HMAC",
                access_key_id: credential::role_key_id(facts.id()),
                secret_access_key: "fake-and-only-good-for-the-rehome-lab",
                token: STANDARD.encode(format!("fake session of {} at {}", facts.id(), made.0)),
                expiration: date(Timestamp(made.0 + CREDENTIALS_LAST_MS)),
            };
            self.text(&format!("iam/security-credentials/{role}"), json(&keys));
        }
    }

    /// Tags, where the instance was launched with them in its metadata.
    fn tags(&mut self, facts: &Facts) {
        let options = facts.instance.metadata_options.as_ref();
        if options.is_none_or(|options| options.instance_metadata_tags != "enabled") {
            return;
        }
        for tag in &facts.instance.tags {
            self.text(&format!("tags/instance/{}", tag.key), &tag.value);
        }
    }

    fn document(&mut self, facts: &Facts) {
        let instance = &facts.instance;
        let document = IdentityDocument {
            account_id: &facts.account,
            architecture: &instance.architecture,
            availability_zone: &instance.placement.availability_zone,
            billing_products: None,
            devpay_product_codes: None,
            marketplace_product_codes: None,
            image_id: &instance.image_id,
            instance_id: &instance.instance_id,
            instance_type: &instance.instance_type,
            kernel_id: None,
            pending_time: date(instance.launch_time),
            private_ip: instance.private_ip_address,
            ramdisk_id: None,
            region: &facts.region,
            version: "2017-09-30",
        };
        let content = plain(json(&document));
        self.leaves.insert("dynamic/instance-identity/document".to_owned(), content);
    }
}

/// `iam/info`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProfileInfo<'a> {
    code: &'a str,
    last_updated: String,
    instance_profile_arn: &'a str,
    instance_profile_id: &'a str,
}

/// `iam/security-credentials/ROLE`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RoleKeys<'a> {
    code: &'a str,
    last_updated: String,
    #[serde(rename = "Type")]
    kind: &'a str,
    access_key_id: String,
    secret_access_key: &'a str,
    token: String,
    expiration: String,
}

/// `dynamic/instance-identity/document`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IdentityDocument<'a> {
    account_id: &'a str,
    architecture: &'a str,
    availability_zone: &'a str,
    billing_products: Option<Vec<String>>,
    devpay_product_codes: Option<Vec<String>>,
    marketplace_product_codes: Option<Vec<String>>,
    image_id: &'a str,
    instance_id: &'a str,
    instance_type: &'a str,
    kernel_id: Option<String>,
    pending_time: String,
    private_ip: Option<Ipv4Addr>,
    ramdisk_id: Option<String>,
    region: &'a str,
    version: &'a str,
}

/// A VPC's first block.
fn vpc_cidr(ec2: &mut Ec2, now: Time, id: &str) -> Option<String> {
    let select = Select { ids: vec![id.to_owned()], ..Select::default() };
    match ec2.operate(now, &Request::DescribeVpcs(select)) {
        Ok(Response::DescribeVpcs(mut page)) => page.items.pop().map(|vpc| vpc.cidr_block),
        Ok(_) | Err(_) => None,
    }
}

fn plain(text: String) -> Content {
    Content { bytes: text.into_bytes(), media_type: "text/plain" }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("texts and addresses always serialize")
}

/// `2026-11-22T16:15:30Z`: metadata tells times without milliseconds.
fn date(at: Timestamp) -> String {
    let long = at.to_string();
    format!("{}Z", long.split('.').next().unwrap_or(&long))
}

fn lines(values: impl Iterator<Item = String>) -> String {
    values.collect::<Vec<_>>().join("\n")
}

fn group_names(groups: &[GroupRef]) -> impl Iterator<Item = String> {
    groups.iter().map(|group| group.group_name.clone())
}

fn primary(instance: &Instance) -> Option<&InstanceNetworkInterface> {
    let mut interfaces = instance.network_interfaces.iter();
    interfaces.find(|interface| interface.attachment.device_index == 0)
}
