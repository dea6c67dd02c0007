//! The account as somebody else may have left it: what no call of the model's own API can bring
//! about.
//!
//! AWS has a call, a console or a service for each of these; the model has what they leave behind,
//! and from then on everything goes by it: launches, routes, answers. A refusal is AWS's own, or
//! says what isn't there.

use core::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::{
    api::{CidrAssociation, Request, RouteSpec, Tag},
    cidr::Cidr,
    ec2::Ec2,
    error::ApiError,
    setup::{SetupError, unknown},
    time::{Time, Timestamp},
    world::{ElasticIp, Origin, Route, Target},
};

/// What shall be otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arrangement {
    /// AWS's clock is so many seconds ahead of its callers'; behind, where negative.
    Clock {
        /// Seconds; 0 for none.
        ahead_s: i64,
    },
    /// The account's request limits were raised so far that nothing is throttled ("Request
    /// throttling for the Amazon EC2 API": limits are raised on request).
    Unthrottled,
    /// Other machines of the account have taken all but so many addresses of a subnet.
    FreeAddresses {
        /// `subnet-...`.
        subnet: String,
        /// What is left.
        most: u32,
    },
    /// A zone doesn't offer an instance type.
    TypeGone {
        /// For example `t3.micro`.
        instance_type: String,
        /// The zone.
        zone: String,
    },
    /// The default VPC has one more block (`AssociateVpcCidrBlock`).
    Block {
        /// Which.
        cidr: Cidr,
    },
    /// A key pair was deleted (`DeleteKeyPair`).
    KeyGone {
        /// Its name.
        name: String,
    },
    /// An image was deregistered (`DeregisterImage`); undone, it comes back from the Recycle Bin.
    ImageGone {
        /// `ami-...`.
        image: String,
    },
    /// A virtual private gateway propagates a route into a table (`EnableVgwRoutePropagation`, and
    /// an announcement of the other side's).
    Propagated {
        /// `rtb-...`.
        table: String,
        /// What is announced.
        destination: Cidr,
    },
    /// A new route table, associated with the internet gateway (`AssociateRouteTable`).
    GatewayTable,
    /// A table was filled with other people's routes until it has so many.
    Routes {
        /// `rtb-...`.
        table: String,
        /// All routes together.
        total: u32,
    },
    /// A tag that only AWS's services set, such as `aws:autoscaling:groupName`.
    ServiceTag {
        /// Of anything that can be tagged.
        resource: String,
        /// Its key, beginning with `aws:`.
        key: String,
        /// Its value.
        value: String,
    },
    /// An Elastic IP is associated with an instance (`AssociateAddress`).
    ElasticIp {
        /// `i-...`.
        instance: String,
    },
    /// A service provider manages an instance (`Operator.Managed`).
    Managed {
        /// `i-...`.
        instance: String,
    },
    /// A new customer-managed prefix list (`CreateManagedPrefixList`).
    PrefixList {
        /// Its entries.
        blocks: Vec<Cidr>,
    },
    /// A new VPC beside the default one.
    Vpc {
        /// Its block.
        cidr: Cidr,
    },
}

/// Why something can't be arranged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArrangeError {
    /// It names what isn't there.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// AWS wouldn't do it either.
    #[error("AWS refuses it: {0}")]
    Refused(#[from] ApiError),
    /// It was made, and stays.
    #[error("a {0} that was made stays")]
    Stays(&'static str),
}

/// Ranges of which a VPC may have one only: its first block's, or none ("VPC CIDR blocks", VPC
/// User Guide, the table of restrictions).
const EXCLUSIVE: [Cidr; 4] = [
    Cidr { address: Ipv4Addr::new(10, 0, 0, 0), prefix: 8 },
    Cidr { address: Ipv4Addr::new(172, 16, 0, 0), prefix: 12 },
    Cidr { address: Ipv4Addr::new(192, 168, 0, 0), prefix: 16 },
    Cidr { address: Ipv4Addr::new(198, 19, 0, 0), prefix: 16 },
];

/// Where other people's routes lead: addresses of nobody (RFC 2544).
const NOBODYS: Cidr = Cidr { address: Ipv4Addr::new(198, 18, 0, 0), prefix: 16 };

/// An Elastic IP comes from here: documentation's addresses (RFC 5737).
const ELASTIC: Cidr = Cidr { address: Ipv4Addr::new(203, 0, 113, 0), prefix: 24 };

impl Ec2 {
    /// Arranges something, or undoes that; the id of what was made, where something was.
    ///
    /// # Errors
    /// What isn't there, what AWS would refuse, what can't be undone.
    pub fn arrange(
        &mut self,
        now: Time,
        what: &Arrangement,
        undo: bool,
    ) -> Result<Option<String>, ArrangeError> {
        self.advance(now);
        match what {
            Arrangement::Clock { ahead_s } => self.set_clock(if undo { 0 } else { *ahead_s }),
            Arrangement::Unthrottled => self.set_throttling(undo),
            Arrangement::FreeAddresses { subnet, most } => {
                let most = (!undo).then_some(*most);
                there(self.set_free_addresses(subnet, most), "subnet", subnet)?;
            }
            Arrangement::TypeGone { instance_type, zone } => {
                let zones = &self.world.zones;
                there(zones.contains_key(zone), "Availability Zone", zone)?;
                let known = self.set_offered(zone, instance_type, undo);
                there(known, "instance type", instance_type)?;
            }
            Arrangement::Block { cidr } => self.arrange_block(*cidr, undo)?,
            Arrangement::KeyGone { name } => {
                let world = &mut self.world;
                let found = moved(&mut world.keys, &mut world.deleted_keys, name, undo);
                there(found, "key pair", name)?;
            }
            Arrangement::ImageGone { image } => {
                let world = &mut self.world;
                let found = moved(&mut world.images, &mut world.recycle_bin, image, undo);
                there(found, "image", image)?;
            }
            Arrangement::Propagated { table, destination } => {
                self.arrange_propagation(table, *destination, undo)?;
            }
            Arrangement::GatewayTable => return self.gateway_table(undo).map(Some),
            Arrangement::Routes { table, total } => self.arrange_routes(table, *total, undo)?,
            Arrangement::ServiceTag { resource, key, value } => {
                let tags = self.tags_of(resource)?;
                tags.retain(|tag| tag.key != *key);
                if !undo {
                    tags.push(Tag { key: key.clone(), value: value.clone() });
                }
            }
            Arrangement::ElasticIp { instance } => self.arrange_elastic_ip(instance, undo)?,
            Arrangement::Managed { instance } => {
                there(self.set_managed(now, instance, !undo), "instance", instance)?;
            }
            Arrangement::PrefixList { blocks } => {
                stays(undo, "prefix list")?;
                let id = self.generator.id("pl");
                self.world.prefix_lists.insert(id.clone(), blocks.clone());
                return Ok(Some(id));
            }
            Arrangement::Vpc { cidr } => {
                stays(undo, "VPC")?;
                return Ok(Some(self.create_vpc(*cidr, false)));
            }
        }
        Ok(None)
    }

    /// By how many seconds AWS's clock is ahead of its callers'.
    #[must_use]
    pub fn clock_ahead_s(&self) -> i64 {
        self.clock_ahead_s
    }

    /// The whole calendar is moved: what was told with the former one would be told otherwise now.
    fn set_clock(&mut self, ahead_s: i64) {
        let by = ahead_s.saturating_sub(self.clock_ahead_s).saturating_mul(1_000);
        self.epoch = Timestamp(self.epoch.0.saturating_add_signed(by));
        self.clock_ahead_s = ahead_s;
    }

    /// Every table gets a local route for the block. One that overlaps another, that a route leads
    /// into as a whole, or that is of a range that doesn't go with the VPC's first is refused ("VPC
    /// CIDR blocks", VPC User Guide).
    fn arrange_block(&mut self, cidr: Cidr, undo: bool) -> Result<(), ArrangeError> {
        let vpc = self.default_vpc()?;
        let blocks = self.world.vpc_blocks(&vpc);
        if undo {
            there(blocks.iter().skip(1).any(|b| *b == cidr), "added block", &cidr.to_string())?;
        } else {
            self.check_block(&vpc, &blocks, cidr)?;
        }
        let association_id = self.generator.id("vpc-cidr-assoc");
        if let Some(vpc) = self.world.vpcs.get_mut(&vpc) {
            let all = &mut vpc.cidr_block_associations;
            all.retain(|one| one.cidr_block != cidr.to_string());
            if !undo {
                let (cidr_block, state) = (cidr.to_string(), "associated".to_owned());
                all.push(CidrAssociation { association_id, cidr_block, state });
            }
        }
        for id in self.world.tables.ids() {
            let in_vpc = self.world.tables.get(&id).is_some_and(|table| table.vpc == vpc);
            let Some(table) = self.world.tables.edit(&id, self.now).filter(|_| in_vpc) else {
                continue;
            };
            table.routes.retain(|route| route.destination != cidr);
            if !undo {
                let origin = Origin::CreateRouteTable;
                table.routes.push(Route { destination: cidr, target: Target::Local, origin });
            }
        }
        Ok(())
    }

    fn check_block(&self, vpc: &str, blocks: &[Cidr], cidr: Cidr) -> Result<(), ApiError> {
        let conflict = |message: String| Err(ApiError::new(400, "InvalidVpc.Range", message));
        if !(16..=28).contains(&cidr.prefix) {
            return conflict(format!("The CIDR '{cidr}' is invalid: /16 to /28."));
        }
        if let Some(block) = blocks.iter().find(|b| b.covers(cidr) || cidr.covers(**b)) {
            return conflict(format!("The CIDR '{cidr}' conflicts with another: {block}."));
        }
        let range = |of: Cidr| EXCLUSIVE.iter().find(|range| range.covers(of));
        let first = blocks.first().and_then(|block| range(*block));
        if range(cidr).is_some_and(|its_own| first != Some(its_own)) {
            return conflict(format!("The CIDR '{cidr}' is restricted: it is of another range."));
        }
        let tables = self.world.tables.values().filter(|table| table.vpc == vpc);
        let mut routes = tables.flat_map(|table| &table.routes);
        match routes.find(|route| route.destination.prefix > 0 && cidr.covers(route.destination)) {
            Some(route) => {
                let destination = route.destination;
                conflict(format!("The CIDR '{cidr}' covers a route's destination: {destination}."))
            }
            None => Ok(()),
        }
    }

    /// There is one virtual private gateway, made when it is first needed.
    fn arrange_propagation(
        &mut self,
        table: &str,
        destination: Cidr,
        undo: bool,
    ) -> Result<(), ArrangeError> {
        let vpc = self.world.tables.get(table).map(|table| table.vpc.clone());
        let vpc = vpc.ok_or_else(|| unknown("route table", table))?;
        let mut gateways = self.world.gateways.iter();
        let known = gateways.find(|(id, of)| id.starts_with("vgw-") && of.vpc == vpc);
        let gateway = match known.map(|(id, _)| id.clone()) {
            Some(id) => id,
            None => self.create_virtual_gateway(&vpc),
        };
        if let Some(found) = self.world.tables.edit(table, self.now) {
            found.routes.retain(|route| {
                route.destination != destination
                    || route.origin != Origin::EnableVgwRoutePropagation
            });
        }
        if !undo {
            self.propagate_route(table, destination, &gateway)?;
        }
        Ok(())
    }

    /// A table of its own, because one that serves subnets has routes that no gateway's may have
    /// ("Gateway route tables", VPC User Guide).
    fn gateway_table(&mut self, undo: bool) -> Result<String, ArrangeError> {
        stays(undo, "route table")?;
        let vpc = self.default_vpc()?;
        let gateway = self.internet_gateway(&vpc)?;
        let table = self.create_route_table(&vpc)?;
        self.associate_gateway(&table, &gateway)?;
        Ok(table)
    }

    fn internet_gateway(&self, vpc: &str) -> Result<String, SetupError> {
        let mut gateways = self.world.gateways.iter();
        let found = gateways.find(|(id, of)| id.starts_with("igw-") && of.vpc == vpc);
        let found = found.map(|(id, _)| id.clone());
        found.ok_or_else(|| unknown("internet gateway in VPC", vpc))
    }

    /// By `CreateRoute`, so that a full table refuses one more.
    fn arrange_routes(&mut self, table: &str, total: u32, undo: bool) -> Result<(), ArrangeError> {
        let found = self.world.tables.get(table);
        let found = found.ok_or_else(|| unknown("route table", table))?;
        let (count, gateway) = (found.routes.len(), self.internet_gateway(&found.vpc)?);
        let there: Vec<Cidr> = found.routes.iter().map(|route| route.destination).collect();
        if undo {
            if let Some(found) = self.world.tables.edit(table, self.now) {
                found.routes.retain(|route| !NOBODYS.covers(route.destination));
            }
            return Ok(());
        }
        let missing = usize::try_from(total).unwrap_or(usize::MAX).saturating_sub(count);
        let hosts = (0..NOBODYS.size()).map(|n| Cidr::new(NOBODYS.nth(n), 32));
        for destination in hosts.filter(|host| !there.contains(host)).take(missing) {
            let route = RouteSpec {
                route_table_id: table.to_owned(),
                destination_cidr_block: Some(destination.to_string()),
                gateway_id: Some(gateway.clone()),
                ..RouteSpec::default()
            };
            self.operate(self.now, &Request::CreateRoute(route))?;
        }
        Ok(())
    }

    /// It takes the place of the address that EC2 lent, and stays through stops ("Elastic IP
    /// addresses", EC2 User Guide).
    fn arrange_elastic_ip(&mut self, instance: &str, undo: bool) -> Result<(), ArrangeError> {
        let owner = self.world.instances.get(instance);
        let interface = owner.and_then(|owner| owner.primary()).map(str::to_owned);
        let interface = interface.ok_or_else(|| unknown("instance", instance))?;
        let taken =
            |ip: &Ipv4Addr| self.world.interfaces.values().any(|of| of.public_ip == Some(*ip));
        let free = (1..ELASTIC.size() - 1).map(|n| ELASTIC.nth(n)).find(|ip| !taken(ip));
        let free = free.ok_or_else(|| {
            let message = "The maximum number of addresses has been reached.";
            ApiError::new(400, "AddressLimitExceeded", message)
        })?;
        let allocation = self.generator.id("eipalloc");
        let elastic = Some(ElasticIp { allocation, association: self.generator.id("eipassoc") });
        if let Some(interface) = self.world.interfaces.edit(&interface, self.now) {
            interface.elastic_ip = elastic.filter(|_| !undo);
            interface.public_ip = (!undo).then_some(free);
        }
        Ok(())
    }
}

fn there(known: bool, what: &'static str, id: &str) -> Result<(), SetupError> {
    if known { Ok(()) } else { Err(unknown(what, id)) }
}

fn stays(undo: bool, what: &'static str) -> Result<(), ArrangeError> {
    if undo { Err(ArrangeError::Stays(what)) } else { Ok(()) }
}

type Kept<T> = std::collections::BTreeMap<String, T>;

/// Moves something out of sight, or back; whether it was where it had to be.
fn moved<T>(there: &mut Kept<T>, away: &mut Kept<T>, name: &str, back: bool) -> bool {
    let (from, to) = if back { (away, there) } else { (there, away) };
    let found = from.remove_entry(name);
    let was_there = found.is_some();
    to.extend(found);
    was_there
}
