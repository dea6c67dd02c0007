//! Furnishing the account: zones, network, image, keys, and machines that run already.
//!
//! These are what an operator did long before the story begins; none of it takes time.

mod network;
mod types;

pub(crate) use types::common_types;

use crate::{
    api::{BlockDevice, EbsBlockDevice, Image, InstanceProfile, KeyPair, Response, RunInstances},
    cidr::Cidr,
    ec2::Ec2,
    error::ApiError,
    time::{Time, Timestamp},
    world::{Due, Instance, Profile, Step, Zone},
};

/// What can't be furnished.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// Something named isn't there.
    #[error("there is no {what} {id}")]
    Unknown {
        /// What kind of thing.
        what: &'static str,
        /// Its id or name.
        id: String,
    },
    /// A subnet's block must lie in its VPC's, be /28 or larger, and overlap no other.
    #[error("{0} is no block for a subnet of this VPC")]
    BadBlock(Cidr),
}

/// An image to register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSetup {
    /// For example `al2023-ami-2023.9-x86_64`.
    pub name: String,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// The root device is an instance store: such an instance can't stop.
    pub instance_store: bool,
    /// GiB of the root volume.
    pub root_gib: i64,
    /// The image asks for metadata tokens.
    pub imds_v2: bool,
    /// Owned by Amazon instead of the account.
    pub by_amazon: bool,
}

impl Default for ImageSetup {
    fn default() -> ImageSetup {
        ImageSetup {
            name: "al2023-ami-2023-x86_64".to_owned(),
            architecture: "x86_64".to_owned(),
            instance_store: false,
            root_gib: 8,
            imds_v2: true,
            by_amazon: true,
        }
    }
}

impl Ec2 {
    /// Which account this is, in which region.
    pub fn set_identity(&mut self, account: &str, region: &str) {
        account.clone_into(&mut self.account);
        region.clone_into(&mut self.region);
    }

    /// What the calendar says at [`Time::ZERO`], in milliseconds since 1970.
    pub fn set_epoch(&mut self, unix_ms: u64) {
        self.epoch = Timestamp(unix_ms);
    }

    /// Adds an Availability Zone, for example `eu-west-1a` with id `euw1-az1`.
    pub fn create_zone(&mut self, name: &str, id: &str) {
        let zone = Zone { id: id.to_owned(), state: "available".to_owned(), messages: Vec::new() };
        self.world.zones.insert(name.to_owned(), zone);
    }

    /// Adds a key pair; returns its id.
    pub fn create_key_pair(&mut self, name: &str) -> String {
        let key_pair_id = self.generator.id("key");
        let key = KeyPair {
            key_name: name.to_owned(),
            key_pair_id: key_pair_id.clone(),
            key_fingerprint: format!("{}=", self.generator.opaque(43)),
            key_type: "ed25519".to_owned(),
            create_time: self.timestamp(self.now),
            tags: Vec::new(),
        };
        self.world.keys.insert(name.to_owned(), key);
        key_pair_id
    }

    /// Registers an image; returns its id.
    pub fn register_image(&mut self, setup: &ImageSetup) -> String {
        let image_id = self.generator.id("ami");
        let snapshot = self.generator.id("snap");
        let root = "/dev/xvda".to_owned();
        let owner = if setup.by_amazon { "137112412989" } else { self.account.as_str() };
        let ebs = EbsBlockDevice {
            snapshot_id: Some(snapshot),
            volume_size: Some(setup.root_gib),
            volume_type: Some("gp3".to_owned()),
            iops: Some(3000),
            throughput: Some(125),
            encrypted: Some(false),
            kms_key_id: None,
            delete_on_termination: Some(true),
        };
        let device =
            BlockDevice { device_name: root.clone(), ebs: Some(ebs), ..BlockDevice::default() };
        let image = Image {
            image_id: image_id.clone(),
            image_location: format!("{owner}/{}", setup.name),
            state: "available".to_owned(),
            owner_id: owner.to_owned(),
            owner_alias: setup.by_amazon.then(|| "amazon".to_owned()),
            public: setup.by_amazon,
            architecture: setup.architecture.clone(),
            image_type: "machine".to_owned(),
            name: setup.name.clone(),
            description: None,
            root_device_type: if setup.instance_store { "instance-store" } else { "ebs" }.into(),
            root_device_name: root,
            block_device_mappings: if setup.instance_store { Vec::new() } else { vec![device] },
            virtualization_type: "hvm".to_owned(),
            hypervisor: "xen".to_owned(),
            ena_support: true,
            sriov_net_support: Some("simple".to_owned()),
            boot_mode: None,
            imds_support: setup.imds_v2.then(|| "v2.0".to_owned()),
            creation_date: self.timestamp(self.now),
            deprecation_time: None,
            platform_details: "Linux/UNIX".to_owned(),
            usage_operation: "RunInstances".to_owned(),
            tags: Vec::new(),
        };
        self.world.images.insert(image_id.clone(), image);
        image_id
    }

    /// Takes an image away; instances made of it live on.
    ///
    /// # Errors
    /// An unknown image.
    pub fn deregister_image(&mut self, id: &str) -> Result<(), SetupError> {
        self.world.images.remove(id).map(|_| ()).ok_or_else(|| unknown("image", id))
    }

    /// Adds an instance profile with its role; returns the profile's ARN.
    pub fn create_instance_profile(&mut self, name: &str, role: &str) -> String {
        let arn = format!("arn:aws:iam::{}:instance-profile/{name}", self.account);
        let id = format!("AIPA{}", self.generator.opaque(17).to_ascii_uppercase());
        let profile = InstanceProfile { arn: arn.clone(), id: id.replace(['-', '_'], "X") };
        self.world.profiles.insert(name.to_owned(), Profile { profile, role: role.to_owned() });
        arn
    }

    /// Launches instances that have been running for long: `running` at once, status checks
    /// passed, the guest to be booted now. Returns their ids.
    ///
    /// # Errors
    /// What `RunInstances` refuses.
    pub fn place(&mut self, now: Time, request: &RunInstances) -> Result<Vec<String>, ApiError> {
        let call = crate::api::Request::RunInstances(Box::new(request.clone()));
        let answer = self.operate(now, &call)?;
        let reservation = if let Response::RunInstances(made) = answer { Some(made) } else { None };
        let instances = reservation.map(|made| made.instances).unwrap_or_default();
        let ids: Vec<String> = instances.into_iter().map(|made| made.instance_id).collect();
        let now = self.now;
        for id in &ids {
            self.due_at_once(id);
            self.take_step(id);
            if let Some(instance) = self.world.instances.edit(id, now) {
                instance.boot_at = now;
                instance.checks.begin(now, 0);
            }
        }
        self.settle_checks();
        Ok(ids)
    }

    fn due_at_once(&mut self, id: &str) {
        let now = self.now;
        if let Some(Instance { due: Some(due), .. }) = self.world.instances.edit(id, now) {
            *due = Due { at: now, step: Step::Run };
        }
    }
}

pub(crate) fn unknown(what: &'static str, id: &str) -> SetupError {
    SetupError::Unknown { what, id: id.to_owned() }
}
