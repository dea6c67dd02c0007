//! The core's calls, each sent as the one request (or listing) it stands for.

use aws_sdk_ec2::types as ec2;
use rehome_core::call::{Call, Launch, Reply};
use rehome_core::digest::sha256_hex;
use rehome_core::fault::CallError;
use rehome_core::names::{GroupId, InstanceId, InterfaceId, SubnetId, TableId, VpcId};
use rehome_core::net::Cidr;
use rehome_core::world::{Instance, PathPart, RouteTable, Status};

use super::client::{Aws, all_pages, send};
use super::{convert, path, write};

/// How often a listing is asked again because EC2 has forgotten ids in it: it names all of them at
/// once, as far as seen, so once is enough; some that are forgotten meanwhile are allowed for.
const FORGOTTEN_ROUNDS_MAX: usize = 8;

/// A page of `DescribeRouteTables` (EC2 API reference: 5 to 100).
pub(super) const TABLES_PAGE: i32 = 100;

/// A page of `DescribeInstances` by filter (EC2 API reference: 5 to 1,000).
pub(super) const INSTANCES_PAGE: i32 = 1_000;

impl Aws {
    /// Sends `call` once. `user_data` is the text for a `Launch`, and nothing for the others.
    ///
    /// Instances that EC2 doesn't know (not yet, or no longer) are absent from the replies to
    /// `Instances` and `Statuses`: the error that names them is no reason to know nothing about
    /// the others.
    ///
    /// # Errors
    /// As the core's [`CallError`] tells them apart; a listing is complete or an error.
    pub(crate) async fn call(
        &self,
        call: &Call,
        user_data: Option<&str>,
    ) -> Result<Reply, CallError> {
        match call {
            Call::Instances { az: _, ids } => self.instances(ids).await.map(Reply::Instances),
            Call::Listed { ids } => {
                let filters = vec![filter("instance-id", ids)];
                self.filtered_instances(filters).await.map(Reply::Instances)
            }
            Call::Statuses { az: _, ids } => self.statuses(ids).await.map(Reply::Statuses),
            Call::Tables { vpc } => self.tables(vpc).await.map(Reply::Tables),
            Call::Path { vpc, groups, subnets, interface } => {
                self.path(vpc, groups, subnets, interface.as_ref()).await.map(Reply::Path)
            }
            Call::Zones => self.zones().await.map(Reply::Zones),
            Call::Launched { token } => {
                let filters = vec![filter("client-token", [token])];
                self.filtered_instances(filters).await.map(Reply::Instances)
            }
            Call::Launch(launch) => self.launch(launch, user_data).await,
            Call::DisableSourceDestCheck { interface } => {
                self.disable_source_dest_check(interface).await
            }
            Call::ReplaceRoute { table, destination, interface } => {
                self.replace_route(table, *destination, interface).await
            }
            Call::CreateRoute { table, destination, interface } => {
                self.create_route(table, *destination, interface).await
            }
            Call::Stop { instance, skip_os_shutdown } => {
                self.stop(instance, *skip_os_shutdown).await
            }
            Call::Terminate { instance } => self.terminate(instance).await,
        }
    }

    /// `DescribeInstances` naming ids; unknown ones are absent. No page size: EC2 refuses one
    /// beside ids, and answers a thousand at once.
    pub(super) async fn instances(&self, ids: &[InstanceId]) -> Result<Vec<Instance>, CallError> {
        known(ids, |ids| {
            let request = self.ec2.describe_instances().set_instance_ids(Some(ids));
            all_pages(
                "DescribeInstances",
                move |token| request.clone().set_next_token(token).send(),
                |page| (reserved(page.reservations()), page.next_token),
            )
        })
        .await
    }

    /// `DescribeInstances` by filter, terminated ones included.
    pub(super) async fn filtered_instances(
        &self,
        filters: Vec<ec2::Filter>,
    ) -> Result<Vec<Instance>, CallError> {
        let request =
            self.ec2.describe_instances().set_filters(Some(filters)).max_results(INSTANCES_PAGE);
        all_pages(
            "DescribeInstances",
            move |token| request.clone().set_next_token(token).send(),
            |page| (reserved(page.reservations()), page.next_token),
        )
        .await
    }

    async fn statuses(&self, ids: &[InstanceId]) -> Result<Vec<Status>, CallError> {
        known(ids, |ids| {
            let request = self
                .ec2
                .describe_instance_status()
                .include_all_instances(true)
                .set_instance_ids(Some(ids));
            all_pages(
                "DescribeInstanceStatus",
                move |token| request.clone().set_next_token(token).send(),
                |page| {
                    let statuses = page.instance_statuses().iter().filter_map(convert::status);
                    (statuses.collect(), page.next_token)
                },
            )
        })
        .await
    }

    /// The route tables of a VPC, all pages.
    ///
    /// # Errors
    /// Where one page couldn't be had: a table that isn't listed would look as if it were gone.
    pub(crate) async fn tables(&self, vpc: &VpcId) -> Result<Vec<RouteTable>, CallError> {
        let request = self
            .ec2
            .describe_route_tables()
            .filters(filter("vpc-id", [vpc]))
            .max_results(TABLES_PAGE);
        all_pages(
            "DescribeRouteTables",
            move |token| request.clone().set_next_token(token).send(),
            |page| {
                let tables = page.route_tables().iter().filter_map(convert::table).collect();
                (tables, page.next_token)
            },
        )
        .await
    }

    /// Digests of groups and network ACLs, by name.
    async fn path(
        &self,
        vpc: &VpcId,
        groups: &[GroupId],
        subnets: &[SubnetId],
        interface: Option<&InterfaceId>,
    ) -> Result<Vec<PathPart>, CallError> {
        let (groups, acls, interfaces) = tokio::try_join!(
            self.security_groups(groups),
            self.network_acls(vpc, subnets),
            self.network_interfaces(interface)
        )?;
        let mut parts: Vec<_> = groups.iter().filter_map(path::group).collect();
        parts.extend(acls.iter().filter_map(|acl| path::acl(acl, subnets)));
        parts.extend(interfaces.iter().filter_map(path::interface));
        parts.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(parts)
    }

    /// By filter rather than by id: a group that is gone must not hide the others.
    pub(super) async fn security_groups(
        &self,
        groups: &[GroupId],
    ) -> Result<Vec<ec2::SecurityGroup>, CallError> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let request = self.ec2.describe_security_groups().filters(filter("group-id", groups));
        all_pages(
            "DescribeSecurityGroups",
            move |token| request.clone().set_next_token(token).send(),
            |page| (page.security_groups.unwrap_or_default(), page.next_token),
        )
        .await
    }

    pub(super) async fn network_acls(
        &self,
        vpc: &VpcId,
        subnets: &[SubnetId],
    ) -> Result<Vec<ec2::NetworkAcl>, CallError> {
        if subnets.is_empty() {
            return Ok(Vec::new());
        }
        let request = self
            .ec2
            .describe_network_acls()
            .filters(filter("vpc-id", [vpc]))
            .filters(filter("association.subnet-id", subnets));
        all_pages(
            "DescribeNetworkAcls",
            move |token| request.clone().set_next_token(token).send(),
            |page| (page.network_acls.unwrap_or_default(), page.next_token),
        )
        .await
    }

    async fn network_interfaces(
        &self,
        interface: Option<&InterfaceId>,
    ) -> Result<Vec<ec2::NetworkInterface>, CallError> {
        let Some(interface) = interface else { return Ok(Vec::new()) };
        let by_id = filter("network-interface-id", [interface]);
        let request = self.ec2.describe_network_interfaces().filters(by_id);
        all_pages(
            "DescribeNetworkInterfaces",
            move |token| request.clone().set_next_token(token).send(),
            |page| (page.network_interfaces.unwrap_or_default(), page.next_token),
        )
        .await
    }

    async fn launch(&self, launch: &Launch, user_data: Option<&str>) -> Result<Reply, CallError> {
        let request = write::run_instances(launch, recorded(launch, user_data)?);
        let output = send("RunInstances", request.send_with(&self.ec2)).await?;
        let instance = output.instances().iter().find_map(convert::instance);
        instance
            .map(|instance| Reply::Launched(Box::new(instance)))
            .ok_or_else(|| CallError::NoAnswer("RunInstances named no instance".to_owned()))
    }

    async fn disable_source_dest_check(&self, interface: &InterfaceId) -> Result<Reply, CallError> {
        let request = write::check_off(interface).send_with(&self.ec2);
        send("ModifyNetworkInterfaceAttribute", request).await.map(|_| Reply::Done)
    }

    async fn replace_route(
        &self,
        table: &TableId,
        destination: Cidr,
        interface: &InterfaceId,
    ) -> Result<Reply, CallError> {
        let request = write::replace_route(table, destination, interface);
        send("ReplaceRoute", request.send_with(&self.ec2)).await.map(|_| Reply::Done)
    }

    async fn create_route(
        &self,
        table: &TableId,
        destination: Cidr,
        interface: &InterfaceId,
    ) -> Result<Reply, CallError> {
        let request = write::create_route(table, destination, interface);
        send("CreateRoute", request.send_with(&self.ec2)).await.map(|_| Reply::Done)
    }

    async fn stop(&self, instance: &InstanceId, skip: bool) -> Result<Reply, CallError> {
        let request = write::stop(instance, skip).send_with(&self.ec2);
        send("StopInstances", request).await.map(|_| Reply::Done)
    }

    async fn terminate(&self, instance: &InstanceId) -> Result<Reply, CallError> {
        let request = write::terminate(instance).send_with(&self.ec2);
        send("TerminateInstances", request).await.map(|_| Reply::Done)
    }
}

/// The user data of a launch. A token stands for these very bytes: with others, EC2 would refuse
/// the repeated call.
pub(super) fn recorded<'t>(
    launch: &Launch,
    user_data: Option<&'t str>,
) -> Result<&'t str, CallError> {
    user_data.filter(|text| sha256_hex(text.as_bytes()) == launch.user_data_sha256).ok_or_else(
        || CallError::NotSent("the user data at hand isn't the one recorded".to_owned()),
    )
}

/// A filter: any of `values` will do.
pub(super) fn filter<V: ToString>(name: &str, values: impl IntoIterator<Item = V>) -> ec2::Filter {
    let values = values.into_iter().map(|value| value.to_string()).collect();
    ec2::Filter::builder().name(name).set_values(Some(values)).build()
}

fn reserved(reservations: &[ec2::Reservation]) -> Vec<Instance> {
    reservations
        .iter()
        .flat_map(|reservation| reservation.instances())
        .filter_map(convert::instance)
        .collect()
}

/// Asks about `ids`, and once more without those that EC2 says it doesn't know.
async fn known<T, F>(
    ids: &[InstanceId],
    ask: impl Fn(Vec<String>) -> F,
) -> Result<Vec<T>, CallError>
where
    F: Future<Output = Result<Vec<T>, CallError>>,
{
    let mut ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    for _ in 0..FORGOTTEN_ROUNDS_MAX {
        // No ids would mean all instances of the region.
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let error = match ask(ids.clone()).await {
            Ok(all) => return Ok(all),
            Err(error) => error,
        };
        let named = forgotten(&error);
        let before = ids.len();
        ids.retain(|id| !named.contains(&id.as_str()));
        if ids.len() == before {
            return Err(error);
        }
        tracing::debug!(forgotten = before - ids.len(), "EC2 doesn't know some ids");
    }
    Err(CallError::NoAnswer("EC2 forgets one instance after the other".to_owned()))
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

#[cfg(test)]
mod tests;
