//! The core's calls, each sent to the model as the request (or requests) it stands for.

use ec2_model::api as ec2;
use ec2_model::{ApiError, Caller, Ec2, Request, Response, Time};
use rehome_core::call::{Call, Launch, Reply};
use rehome_core::digest::sha256_hex;
use rehome_core::fault::CallError;
use rehome_core::world::Instance;

use super::{convert, launch, path};

/// How often a listing is asked again because EC2 has forgotten ids in it.
const FORGOTTEN_ROUNDS_MAX: usize = 8;

/// A page of `DescribeRouteTables`.
const TABLES_PAGE: i64 = 100;

/// A page of `DescribeInstances` by filter.
const INSTANCES_PAGE: i64 = 1_000;

/// The door to the model: one moment, one caller.
pub(crate) struct Api<'a> {
    /// The account.
    pub(crate) ec2: &'a mut Ec2,
    /// When the calls arrive there.
    pub(crate) now: Time,
    /// Who calls.
    pub(crate) caller: &'a Caller,
    /// Every request that is made, where somebody wants to know.
    pub(crate) made: Option<&'a mut Vec<Request>>,
}

/// A reading that was made, the requests it took, and the version of the world and of its status
/// checks that it shows.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) version: (u64, u64),
    pub(crate) call: Call,
    pub(crate) requests: Vec<Request>,
    pub(crate) reply: Reply,
}

/// The error as the shell's HTTP client tells it.
fn translated(error: ApiError) -> CallError {
    if error.is_lost() {
        CallError::NoAnswer("the connection was closed".to_owned())
    } else {
        CallError::Refused { code: error.code, message: error.message }
    }
}

/// A filter: any of `values` will do.
pub(super) fn filter<V: ToString>(name: &str, values: impl IntoIterator<Item = V>) -> ec2::Filter {
    let values = values.into_iter().map(|value| value.to_string()).collect();
    ec2::Filter { name: name.to_owned(), values }
}

/// A selection by filters.
pub(super) fn select(filters: Vec<ec2::Filter>, page: Option<i64>) -> ec2::Select {
    ec2::Select { filters, max_results: page, ..ec2::Select::default() }
}

/// The answer's items, where it is of the kind that was asked for.
macro_rules! items {
    ($answer:expr, $kind:ident) => {
        if let Response::$kind(page) = $answer { page.items } else { Vec::new() }
    };
}
pub(super) use items;

impl Api<'_> {
    /// One request.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Response, CallError> {
        if let Some(made) = &mut self.made {
            made.push(request.clone());
        }
        self.ec2.call(self.now, self.caller, request).map_err(translated)
    }

    /// The same reading again, of a world that hasn't changed: the same doors, the same answer.
    pub(crate) fn again(&mut self, reading: &Reading) -> Result<Reply, CallError> {
        for request in &reading.requests {
            self.ec2.knock(self.now, self.caller, request).map_err(translated)?;
        }
        Ok(reading.reply.clone())
    }

    /// Performs `call`. `user_data` is the text for a `Launch`.
    pub(crate) fn call(
        &mut self,
        call: &Call,
        user_data: Option<&str>,
    ) -> Result<Reply, CallError> {
        match call {
            Call::Instances { az: _, ids } => {
                let ids = ids.iter().map(ToString::to_string).collect();
                self.instances(ids).map(Reply::Instances)
            }
            Call::Listed { ids } => {
                self.filtered(vec![filter("instance-id", ids)]).map(Reply::Instances)
            }
            Call::Statuses { az: _, ids } => {
                let ids = ids.iter().map(ToString::to_string).collect();
                self.statuses(ids).map(Reply::Statuses)
            }
            Call::Tables { vpc } => self.tables(vpc.as_str()).map(Reply::Tables),
            Call::Path { .. } => self.path(call),
            Call::Zones => self.zones().map(Reply::Zones),
            Call::Launched { token } => {
                self.filtered(vec![filter("client-token", [token])]).map(Reply::Instances)
            }
            Call::Launch(launch) => self.launch(launch, user_data),
            Call::DisableSourceDestCheck { interface } => self.done(
                &Request::ModifyNetworkInterfaceAttribute(ec2::ModifyNetworkInterfaceAttribute {
                    network_interface_id: interface.to_string(),
                    source_dest_check: Some(false),
                    ..ec2::ModifyNetworkInterfaceAttribute::default()
                }),
            ),
            Call::ReplaceRoute { table, destination, interface } => {
                let route = route(table.as_str(), &destination.to_string(), interface.as_str());
                self.done(&Request::ReplaceRoute(route))
            }
            Call::CreateRoute { table, destination, interface } => {
                let route = route(table.as_str(), &destination.to_string(), interface.as_str());
                self.done(&Request::CreateRoute(route))
            }
            Call::Stop { instance, skip_os_shutdown } => {
                self.done(&Request::StopInstances(ec2::StopInstances {
                    instance_ids: vec![instance.to_string()],
                    force: true,
                    skip_os_shutdown: *skip_os_shutdown,
                    ..ec2::StopInstances::default()
                }))
            }
            Call::Terminate { instance } => {
                self.done(&Request::TerminateInstances(ec2::TerminateInstances {
                    instance_ids: vec![instance.to_string()],
                    ..ec2::TerminateInstances::default()
                }))
            }
        }
    }

    fn done(&mut self, request: &Request) -> Result<Reply, CallError> {
        self.ask(request).map(|_| Reply::Done)
    }

    /// `DescribeInstances` naming ids; unknown ones are absent.
    pub(super) fn instances(&mut self, ids: Vec<String>) -> Result<Vec<Instance>, CallError> {
        self.known(ids, |api, ids| {
            let select = ec2::Select { ids, ..ec2::Select::default() };
            let answer = api.ask(&Request::DescribeInstances(select))?;
            Ok(reserved(&items!(answer, DescribeInstances)))
        })
    }

    /// `DescribeInstances` by filter, terminated ones included.
    pub(super) fn filtered(
        &mut self,
        filters: Vec<ec2::Filter>,
    ) -> Result<Vec<Instance>, CallError> {
        let select = select(filters, Some(INSTANCES_PAGE));
        let answer = self.ask(&Request::DescribeInstances(select))?;
        Ok(reserved(&items!(answer, DescribeInstances)))
    }

    fn statuses(&mut self, ids: Vec<String>) -> Result<Vec<rehome_core::world::Status>, CallError> {
        self.known(ids, |api, ids| {
            let select = ec2::Select { ids, ..ec2::Select::default() };
            let request = ec2::DescribeInstanceStatus { select, include_all_instances: true };
            let answer = api.ask(&Request::DescribeInstanceStatus(request))?;
            let statuses = items!(answer, DescribeInstanceStatus);
            Ok(statuses.iter().filter_map(convert::status).collect())
        })
    }

    /// The route tables of a VPC.
    pub(super) fn tables(
        &mut self,
        vpc: &str,
    ) -> Result<Vec<rehome_core::world::RouteTable>, CallError> {
        let select = select(vec![filter("vpc-id", [vpc])], Some(TABLES_PAGE));
        let answer = self.ask(&Request::DescribeRouteTables(select))?;
        Ok(items!(answer, DescribeRouteTables).iter().filter_map(convert::table).collect())
    }

    fn path(&mut self, call: &Call) -> Result<Reply, CallError> {
        let Call::Path { vpc, groups, subnets, interface } = call else {
            return Ok(Reply::Path(Vec::new()));
        };
        let mut parts = Vec::new();
        if !groups.is_empty() {
            let select = select(vec![filter("group-id", groups)], None);
            let request = ec2::DescribeSecurityGroups { select, group_names: Vec::new() };
            let answer = self.ask(&Request::DescribeSecurityGroups(request))?;
            parts.extend(items!(answer, DescribeSecurityGroups).iter().map(path::group));
        }
        if !subnets.is_empty() {
            let filters = vec![filter("vpc-id", [vpc]), filter("association.subnet-id", subnets)];
            let answer = self.ask(&Request::DescribeNetworkAcls(select(filters, None)))?;
            let acls = items!(answer, DescribeNetworkAcls);
            parts.extend(acls.iter().map(|acl| path::acl(acl, subnets)));
        }
        if let Some(interface) = interface {
            let filters = vec![filter("network-interface-id", [interface])];
            let answer = self.ask(&Request::DescribeNetworkInterfaces(select(filters, None)))?;
            parts.extend(items!(answer, DescribeNetworkInterfaces).iter().map(path::interface));
        }
        parts.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Reply::Path(parts))
    }

    fn launch(&mut self, launch: &Launch, user_data: Option<&str>) -> Result<Reply, CallError> {
        let same = |text: &&str| sha256_hex(text.as_bytes()) == launch.user_data_sha256;
        let Some(text) = user_data.filter(same) else {
            let why = "the user data at hand isn't the one recorded";
            return Err(CallError::NotSent(why.to_owned()));
        };
        let request = Request::RunInstances(Box::new(launch::run_instances(launch, text)));
        let answer = self.ask(&request)?;
        let made = if let Response::RunInstances(made) = &answer {
            made.instances.iter().find_map(convert::instance)
        } else {
            None
        };
        made.map(|instance| Reply::Launched(Box::new(instance)))
            .ok_or_else(|| CallError::NoAnswer("RunInstances named no instance".to_owned()))
    }

    /// Asks about `ids`, and again without those that EC2 says it doesn't know.
    fn known<T>(
        &mut self,
        mut ids: Vec<String>,
        ask: impl Fn(&mut Self, Vec<String>) -> Result<Vec<T>, CallError>,
    ) -> Result<Vec<T>, CallError> {
        for _ in 0..FORGOTTEN_ROUNDS_MAX {
            if ids.is_empty() {
                return Ok(Vec::new());
            }
            let error = match ask(self, ids.clone()) {
                Ok(all) => return Ok(all),
                Err(error) => error,
            };
            let named = forgotten(&error);
            let before = ids.len();
            ids.retain(|id| !named.contains(&id.as_str()));
            if ids.len() == before {
                return Err(error);
            }
        }
        Err(CallError::NoAnswer("EC2 forgets one instance after the other".to_owned()))
    }
}

fn reserved(reservations: &[ec2::Reservation]) -> Vec<Instance> {
    reservations
        .iter()
        .flat_map(|reservation| &reservation.instances)
        .filter_map(convert::instance)
        .collect()
}

/// The ids in EC2's sentence: "The instance IDs 'i-…, i-…' do not exist".
fn forgotten(error: &CallError) -> Vec<&str> {
    match error {
        CallError::Refused { code, message } if code == "InvalidInstanceID.NotFound" => message
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
            .filter(|word| word.starts_with("i-"))
            .collect(),
        CallError::Refused { .. } | CallError::NoAnswer(_) | CallError::NotSent(_) => Vec::new(),
    }
}

/// A route to an interface.
pub(crate) fn route(table: &str, destination: &str, interface: &str) -> ec2::RouteSpec {
    ec2::RouteSpec {
        route_table_id: table.to_owned(),
        destination_cidr_block: Some(destination.to_owned()),
        network_interface_id: Some(interface.to_owned()),
        ..ec2::RouteSpec::default()
    }
}
