//! Where the routes of the set lead, by the last reading.

use alloc::vec::Vec;

use super::super::Controller;
use crate::names::{InterfaceId, TableId};
use crate::verdict::Seen;
use crate::world::{RouteState, RouteTable, Target};

impl Controller {
    /// Our routes by the last reading: the tables where something is wrong.
    pub(in crate::controller) fn routes_seen(&self) -> Option<Seen<Vec<TableId>>> {
        // A move puts them right by itself.
        if self.record.moving.is_some() {
            return Some(Seen { asked: self.now, what: Ok(Vec::new()) });
        }
        let seen = self.views.tables.as_ref()?;
        let what = seen
            .what
            .as_ref()
            .map_err(Clone::clone)
            .map(|tables| self.wrong_routes(tables, &self.record.holder.interface));
        Some(Seen { asked: seen.asked, what })
    }

    /// Tables of the route set whose route isn't active to `interface`. A blackhole that leads
    /// there says that the instance is off, which is not the route's fault.
    pub(in crate::controller) fn wrong_routes(
        &self,
        tables: &[RouteTable],
        interface: &InterfaceId,
    ) -> Vec<TableId> {
        let right = |table: &RouteTable| {
            table.route(self.record.vip.destination).is_some_and(|route| match &route.target {
                Target::Interface { id, .. } => id == interface,
                Target::Other(_) => false,
            })
        };
        let known = |id: &&TableId| tables.iter().any(|table| table.id == **id);
        self.record
            .route_set
            .iter()
            .filter(known)
            .filter(|id| !tables.iter().any(|table| table.id == **id && right(table)))
            .cloned()
            .collect()
    }

    /// Whether every route of the set leads to `interface` and is active.
    pub(in crate::controller) fn all_routed(
        &self,
        tables: &[RouteTable],
        interface: &InterfaceId,
    ) -> bool {
        self.are_routed(&self.record.route_set, tables, interface)
    }

    /// Whether the routes in `which` tables lead to `interface` and are active.
    pub(in crate::controller) fn are_routed(
        &self,
        which: &[TableId],
        tables: &[RouteTable],
        interface: &InterfaceId,
    ) -> bool {
        let active = |id: &TableId| {
            tables
                .iter()
                .find(|table| table.id == *id)
                .and_then(|table| table.route(self.record.vip.destination))
                .is_some_and(|route| {
                    route.state == RouteState::Active
                        && matches!(&route.target, Target::Interface { id, .. } if id == interface)
                })
        };
        which.iter().all(active)
    }

    /// Whether any route of the set leads to `interface`.
    pub(in crate::controller) fn any_routed(
        &self,
        tables: &[RouteTable],
        interface: &InterfaceId,
    ) -> bool {
        let leads = |table: &RouteTable| {
            let route = table.route(self.record.vip.destination);
            matches!(
                route.map(|route| &route.target),
                Some(Target::Interface { id, .. }) if id == interface
            )
        };
        tables.iter().any(|table| self.record.route_set.contains(&table.id) && leads(table))
    }
}
