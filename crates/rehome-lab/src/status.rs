//! What `lab status` tells.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A lab as it is now: what EC2 says, and the addresses that its machines really have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The VPC's id.
    pub vpc: String,
    /// Its subnets.
    pub subnets: Vec<SubnetStatus>,
    /// Its route tables.
    pub route_tables: Vec<TableStatus>,
    /// Its instances, terminated ones too while EC2 shows them.
    pub instances: Vec<InstanceStatus>,
}

/// A subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetStatus {
    /// `subnet-...`.
    pub id: String,
    /// Its Availability Zone's name.
    pub az: String,
    /// Its network.
    pub cidr: String,
}

/// A route table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableStatus {
    /// `rtb-...`.
    pub id: String,
    /// The subnets it serves, also as the VPC's main table.
    pub subnets: Vec<String>,
    /// Its routes.
    pub routes: Vec<RouteStatus>,
}

/// A route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteStatus {
    /// A network.
    pub destination: String,
    /// The interface it leads to, if it leads to one.
    pub eni: Option<String>,
    /// The instance that has the interface.
    pub instance: Option<String>,
    /// `active` or `blackhole`.
    pub state: String,
}

/// An instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceStatus {
    /// `i-...`.
    pub id: String,
    /// Its Name tag.
    pub name: Option<String>,
    /// Its Availability Zone's name.
    pub az: String,
    /// EC2's word: `pending`, `running`, ...
    pub state: String,
    /// Primary address.
    pub private_ip: Option<String>,
    /// Primary interface.
    pub eni: Option<String>,
    /// Security groups of its primary interface.
    pub security_groups: Vec<String>,
    /// Key pair.
    pub key_name: Option<String>,
    /// Of its primary interface.
    pub source_dest_check: Option<bool>,
    /// What its interface really has now; empty when nothing runs.
    pub addresses: Vec<String>,
}

/// Tables for people.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instances = self.instances.iter().map(|instance| {
            let check = match instance.source_dest_check {
                Some(true) => "on",
                Some(false) => "off",
                None => "-",
            };
            [
                instance.name.clone().unwrap_or_else(|| "-".into()),
                instance.id.clone(),
                instance.az.clone(),
                instance.state.clone(),
                instance.private_ip.clone().unwrap_or_else(|| "-".into()),
                check.into(),
                if instance.addresses.is_empty() {
                    "-".into()
                } else {
                    instance.addresses.join(" ")
                },
            ]
        });
        let heads = ["NAME", "INSTANCE", "AZ", "STATE", "PRIMARY", "CHECK", "ADDRESSES"];
        write_table(f, heads, instances)?;
        writeln!(f)?;
        let routes = self.route_tables.iter().flat_map(|table| {
            table.routes.iter().map(|route| {
                [
                    table.id.clone(),
                    route.destination.clone(),
                    self.target(route),
                    route.state.clone(),
                ]
            })
        });
        write_table(f, ["ROUTE TABLE", "DESTINATION", "TARGET", "STATE"], routes)?;
        writeln!(f)?;
        let subnets = self
            .subnets
            .iter()
            .map(|subnet| [subnet.id.clone(), subnet.az.clone(), subnet.cidr.clone()]);
        write_table(f, ["SUBNET", "AZ", "CIDR"], subnets)
    }
}

impl Status {
    fn target(&self, route: &RouteStatus) -> String {
        let holder = self.instances.iter().find(|i| Some(&i.id) == route.instance.as_ref());
        match (&route.eni, holder.and_then(|holder| holder.name.as_ref())) {
            (Some(eni), Some(name)) => format!("{eni} ({name})"),
            (Some(eni), None) => eni.clone(),
            (None, _) => "-".into(),
        }
    }
}

/// Columns as wide as their widest cell, two blanks between them.
fn write_table<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    heads: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> fmt::Result {
    let rows: Vec<[String; N]> = [heads.map(str::to_owned)].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        Status {
            vpc: "vpc-1".into(),
            subnets: vec![SubnetStatus {
                id: "subnet-1".into(),
                az: "us-east-1a".into(),
                cidr: "172.31.48.0/20".into(),
            }],
            route_tables: vec![TableStatus {
                id: "rtb-1".into(),
                subnets: vec!["subnet-1".into()],
                routes: vec![RouteStatus {
                    destination: "10.0.0.10/32".into(),
                    eni: Some("eni-1".into()),
                    instance: Some("i-1".into()),
                    state: "active".into(),
                }],
            }],
            instances: vec![InstanceStatus {
                id: "i-1".into(),
                name: Some("vip-a".into()),
                az: "us-east-1a".into(),
                state: "running".into(),
                private_ip: Some("172.31.48.10".into()),
                eni: Some("eni-1".into()),
                security_groups: vec!["sg-1".into()],
                key_name: Some("my-keypair".into()),
                source_dest_check: Some(false),
                addresses: vec!["172.31.48.10".into(), "10.0.0.10".into()],
            }],
        }
    }

    #[test]
    fn people_get_aligned_columns() {
        let expected = "\
NAME   INSTANCE  AZ          STATE    PRIMARY       CHECK  ADDRESSES
vip-a  i-1       us-east-1a  running  172.31.48.10  off    172.31.48.10 10.0.0.10

ROUTE TABLE  DESTINATION   TARGET         STATE
rtb-1        10.0.0.10/32  eni-1 (vip-a)  active

SUBNET    AZ          CIDR
subnet-1  us-east-1a  172.31.48.0/20
";
        assert_eq!(status().to_string(), expected);
    }

    #[test]
    fn scripts_get_the_documented_fields() {
        let value = serde_json::to_value(status()).expect("plain data");
        let keys = |value: &serde_json::Value| {
            let object = value.as_object().expect("an object");
            let mut keys: Vec<String> = object.keys().cloned().collect();
            keys.sort();
            keys.join(" ")
        };
        assert_eq!(keys(&value), "instances route_tables subnets vpc");
        assert_eq!(keys(&value["subnets"][0]), "az cidr id");
        assert_eq!(keys(&value["route_tables"][0]), "id routes subnets");
        let route = &value["route_tables"][0]["routes"][0];
        assert_eq!(keys(route), "destination eni instance state");
        assert_eq!(
            keys(&value["instances"][0]),
            "addresses az eni id key_name name private_ip security_groups source_dest_check state"
        );
    }
}
