//! `rehome lab arrange`: the account as somebody else may have left it.

use clap::{Args, Subcommand};
use rehome_lab::{Arrangement, Cidr};

/// The flags of `lab arrange`.
#[derive(Debug, Args)]
pub(crate) struct ArrangeArgs {
    /// Undo it; what was made stays
    #[arg(long, global = true)]
    pub(crate) undo: bool,
    #[command(subcommand)]
    pub(crate) what: What,
}

/// What can be arranged.
#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// AWS's clock runs ahead, or behind where negative
    Clock {
        /// By how many seconds
        #[arg(value_name = "SECONDS", allow_negative_numbers = true,
              value_parser = clap::value_parser!(i64).range(-31_536_000..=31_536_000))]
        ahead_s: i64,
    },
    /// The account's request limits are so high that nothing is throttled
    Unthrottled,
    /// All but so many addresses of a subnet are taken
    FreeAddresses {
        /// subnet-…
        subnet: String,
        /// How many are left
        #[arg(value_name = "N")]
        most: u32,
    },
    /// A zone doesn't offer an instance type
    TypeGone {
        /// Like t3.micro
        #[arg(value_name = "TYPE")]
        instance_type: String,
        /// Availability Zone
        #[arg(value_name = "AZ")]
        zone: String,
    },
    /// The VPC has one more block of addresses
    Block {
        /// Like 100.64.0.0/16
        cidr: Cidr,
    },
    /// A key pair was deleted
    KeyGone {
        /// Its name
        name: String,
    },
    /// An image was deregistered
    ImageGone {
        /// ami-…
        image: String,
    },
    /// A virtual private gateway propagates a route into a table
    Propagated {
        /// rtb-…
        table: String,
        /// What the other side announces
        #[arg(value_name = "CIDR")]
        destination: Cidr,
    },
    /// A new route table of the internet gateway; prints its id
    GatewayTable,
    /// A table is filled up with routes of others
    Routes {
        /// rtb-…
        table: String,
        /// How many it has then
        #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(..=1_000))]
        total: u32,
    },
    /// A tag that only AWS's services set
    ServiceTag {
        /// Id of anything that has tags
        resource: String,
        /// Like aws:autoscaling:groupName
        key: String,
        /// Its value
        value: String,
    },
    /// An instance has an Elastic IP
    ElasticIp {
        /// Name or id
        instance: String,
    },
    /// A service provider manages an instance
    Managed {
        /// Name or id
        instance: String,
    },
    /// A new prefix list; prints its id
    PrefixList {
        /// Its entries
        #[arg(value_name = "CIDR", required = true)]
        blocks: Vec<Cidr>,
    },
    /// A new VPC beside the lab's; prints its id
    Vpc {
        /// Its block
        cidr: Cidr,
    },
}

impl From<What> for Arrangement {
    fn from(what: What) -> Arrangement {
        match what {
            What::Clock { ahead_s } => Arrangement::Clock { ahead_s },
            What::Unthrottled => Arrangement::Unthrottled,
            What::FreeAddresses { subnet, most } => Arrangement::FreeAddresses { subnet, most },
            What::TypeGone { instance_type, zone } => Arrangement::TypeGone { instance_type, zone },
            What::Block { cidr } => Arrangement::Block { cidr },
            What::KeyGone { name } => Arrangement::KeyGone { name },
            What::ImageGone { image } => Arrangement::ImageGone { image },
            What::Propagated { table, destination } => {
                Arrangement::Propagated { table, destination }
            }
            What::GatewayTable => Arrangement::GatewayTable,
            What::Routes { table, total } => Arrangement::Routes { table, total },
            What::ServiceTag { resource, key, value } => {
                Arrangement::ServiceTag { resource, key, value }
            }
            What::ElasticIp { instance } => Arrangement::ElasticIp { instance },
            What::Managed { instance } => Arrangement::Managed { instance },
            What::PrefixList { blocks } => Arrangement::PrefixList { blocks },
            What::Vpc { cidr } => Arrangement::Vpc { cidr },
        }
    }
}
