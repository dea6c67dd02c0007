//! What this machine tells about itself, and how the address answers from here.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use rehome_core::doctor::{Machine, OwnAddress, Ping, Way};
use rehome_core::preflight::Refusal;
use rehome_core::record::Record;
use tokio::time::{Instant, timeout_at};

use crate::cli::RunArgs;
use crate::fail::Problem;
use crate::hook;
use crate::icmp::prober::{Prober, ProberError};
use crate::monitor_net::netlink::Netlink;
use crate::store::directory;
use crate::store::look::{look, recorded};

/// Probes on each way: one lost packet is no finding.
const PROBES: u64 = 5;

/// Between two of them.
const PROBE_EVERY: Duration = Duration::from_millis(100);

/// What a machine is, and what it remembers.
pub(super) fn machine(
    args: &RunArgs,
    prober: &Result<Prober, ProberError>,
) -> (Machine, Result<Option<Record>, Refusal>) {
    let vip = args.vip();
    let icmp = match prober {
        Ok(_) => Ok(()),
        Err(error) => Err(refusal(error, error.hint().unwrap_or_default())),
    };
    let place = directory(args.operation.state_dir.as_deref());
    let place = place.map_err(|error| refusal(&error, &error.hint()));
    let state_directory = place.clone().and_then(|place| {
        look(&place, vip.address).map_err(|error| refusal(&error, &error.hint()))
    });
    let known = place.ok().map_or(Ok(None), |place| {
        recorded(&place, vip.address).map_err(|error| refusal(&error, &error.hint()))
    });
    let machine = Machine {
        icmp,
        state_directory,
        hook: args.operation.notify_exec.as_deref().map(hook_at),
        addresses: addresses(),
        towards_vip: way(vip.address),
    };
    (machine, known)
}

fn hook_at(path: &Path) -> Result<String, Refusal> {
    let checked = hook::check(path).map_err(|error| refusal(&error, &error.hint()));
    checked.map(|()| path.display().to_string())
}

pub(super) fn refusal(error: &dyn std::error::Error, hint: &str) -> Refusal {
    Refusal::new(Problem::of(error, None).what, hint)
}

/// Our IPv4 addresses with the prefixes of their interfaces, but for loopback's.
fn addresses() -> Vec<OwnAddress> {
    let Ok(interfaces) = getifaddrs() else { return Vec::new() };
    let addresses = interfaces.filter_map(|of| {
        let address = of.address?.as_sockaddr_in()?.ip();
        let mask = of.netmask.and_then(|mask| Some(mask.as_sockaddr_in()?.ip()));
        // One bit for each that neighbors share, at most 32.
        let prefix = mask.map_or(32, |mask| mask.to_bits().count_ones());
        Some(OwnAddress { address, prefix: u8::try_from(prefix).unwrap_or(32) })
    });
    let mut addresses: Vec<OwnAddress> =
        addresses.filter(|own| !own.address.is_loopback()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// A few probes from each of our addresses to each target.
pub(super) async fn pings(
    prober: &mut Prober,
    from: &[Option<Ipv4Addr>],
    targets: &[Ipv4Addr],
    wait: Duration,
) -> Vec<Ping> {
    let mut pings: Vec<Ping> = targets
        .iter()
        .flat_map(|target| from.iter().map(|source| (*source, *target)))
        .map(|(source, target)| Ping { source, target, heard: Ok(false) })
        .collect();
    let count = u64::try_from(pings.len()).expect("there are a handful of addresses");
    for round in 0..PROBES {
        for (way, ping) in (0..count).zip(&mut pings).filter(|(_, ping)| ping.heard == Ok(false)) {
            if let Err(why) = prober.send(round * count + way, ping.source, ping.target) {
                ping.heard = Err(why);
            }
        }
        let last = round + 1 == PROBES;
        let until = Instant::now() + if last { wait } else { PROBE_EVERY };
        while pings.iter().any(|ping| ping.heard == Ok(false)) {
            let mut answers = Vec::new();
            if timeout_at(until, prober.answers(&mut answers)).await.is_err() {
                break;
            }
            for answer in answers {
                let way = usize::try_from(answer.probe % count).expect("a way is a small number");
                pings[way].heard = Ok(true);
            }
        }
    }
    pings
}

/// The way that the kernel would send a packet to `target`; none where there is none.
fn way(target: Ipv4Addr) -> Option<Way> {
    let route = Netlink::open().and_then(|mut netlink| netlink.way_to(target));
    let route = route.inspect_err(|error| tracing::debug!(%error, "no way")).ok()?;
    Some(Way { source: route.source?, gateway: route.gateway })
}
