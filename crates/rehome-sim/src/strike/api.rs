//! EC2's faults.

use ec2_model::{Check, Fault, FaultEffect, Lag, Reads};

use super::{Struck, Token};
use crate::fault::Kind;
use crate::time::{MS, model};
use crate::world::World;

/// Actions that errors are put on.
const ACTIONS: &[&str] = &[
    "RunInstances",
    "RunInstances",
    "RunInstances",
    "RunInstances",
    "ReplaceRoute",
    "ReplaceRoute",
    "CreateRoute",
    "TerminateInstances",
    "StopInstances",
    "ModifyNetworkInterfaceAttribute",
    "DescribeInstances",
    "DescribeRouteTables",
    "DescribeInstanceStatus",
    "DescribeSecurityGroups",
    "*",
];

/// Errors on the server's side.
const SERVER: &[&str] = &[
    "InternalError",
    "ServiceUnavailable",
    "RequestLimitExceeded",
    "Unavailable",
    "RequestTimeout",
    "ThrottlingException",
];

/// Why launches die.
const DEATHS: &[&str] = &[
    "Server.InsufficientInstanceCapacity",
    "Server.InternalError",
    "Client.InternalError",
    "Client.VolumeLimitExceeded",
];

/// Refusals for credentials.
const CREDENTIALS: &[&str] = &["ExpiredToken", "RequestExpired", "AuthFailure"];

fn of<'a>(list: &[&'a str], number: u64) -> &'a str {
    list[usize::try_from(number).unwrap_or(0) % list.len()]
}

fn error(code: &str) -> FaultEffect {
    FaultEffect::Error { code: code.to_owned(), message: None }
}

impl World {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other families have their own")]
    pub(super) fn strike_api(&mut self, kind: Kind, strength: u64) -> Struck {
        let time = model(self.now);
        let action = self.rng.pick(ACTIONS).copied().unwrap_or("*");
        let zone = self.rng.index(self.account.zones.len());
        let name = self.account.zones[zone].clone();
        let half = |ms| Lag { ms, percent: 50 };
        match kind {
            Kind::Throttled => {
                self.ec2.set_noisy_neighbor(u8::try_from(strength).unwrap_or(100));
            }
            Kind::ErrorBefore => {
                return self.fault(action, None, false, error(of(SERVER, strength)));
            }
            Kind::ErrorAfter => return self.fault(action, None, true, error(of(SERVER, strength))),
            Kind::AnswerLost => {
                return self.fault(action, Some(strength), true, FaultEffect::Lost);
            }
            Kind::RequestLost => {
                return self.fault(action, Some(strength), false, FaultEffect::Lost);
            }
            Kind::SlowAnswers => self.api.slow = strength * MS,
            Kind::LateEffect => self.api.linger = strength * MS,
            Kind::NoCapacity => {
                self.ec2.set_capacity(&name, None, Some(0));
                return Struck::Lasting(Token::Name(name));
            }
            Kind::LaunchDies => {
                return self.fault("RunInstances", None, false, error(of(DEATHS, strength)));
            }
            Kind::Invisible => self.ec2.set_visibility_delay(strength),
            Kind::StaleInstances => self.ec2.set_lag(Reads::Instances, half(strength)),
            Kind::StaleRoutes => self.ec2.set_lag(Reads::Routes, half(strength)),
            Kind::ApiDown => self.api.down = u32::try_from(strength).ok(),
            Kind::ZoneImpaired => {
                self.ec2.impair_zone(time, &name);
                return Struck::Lasting(Token::Name(name));
            }
            Kind::ZoneDies => return self.kill_zone(zone),
            Kind::Denied => return self.fault(action, None, false, FaultEffect::Deny),
            Kind::Expired => {
                return self.fault("*", None, false, error(of(CREDENTIALS, strength)));
            }
            Kind::CheckImpaired => {
                let check = [Check::System, Check::Instance, Check::AttachedEbs];
                let check = check[usize::try_from(strength).unwrap_or(0) % 3];
                let Some(holder) = self.some_holder() else { return Struck::Missed };
                self.ec2.impair_instance(time, &holder, check);
                return Struck::Lasting(Token::Name(holder));
            }
            Kind::BadImage => {
                return self.fault("RunInstances", None, false, error("InvalidAMIID.NotFound"));
            }
            Kind::QuotaSpent => {
                return self.fault("RunInstances", None, false, error("VcpuLimitExceeded"));
            }
            Kind::SubnetFull => {
                let subnet = self.account.subnets[zone].clone();
                self.ec2.set_free_addresses(&subnet, Some(0));
                return Struck::Lasting(Token::Name(subnet));
            }
            Kind::EndHangs => {
                let Some(holder) = self.some_holder() else { return Struck::Missed };
                self.ec2.set_hanging(time, &holder, true);
                return Struck::Lasting(Token::Name(holder));
            }
            _ => return Struck::Missed,
        }
        Struck::Lasting(Token::None)
    }

    fn fault(
        &mut self,
        action: &str,
        times: Option<u64>,
        after: bool,
        effect: FaultEffect,
    ) -> Struck {
        let fault = Fault {
            action: action.to_owned(),
            zone: None,
            instance_type: None,
            times: times.and_then(|times| u32::try_from(times).ok()),
            after,
            effect,
        };
        Struck::Lasting(Token::Fault(self.ec2.add_fault(fault)))
    }

    /// The monitor's own zone stays: who watches from there is dead as well.
    fn kill_zone(&mut self, zone: usize) -> Struck {
        if zone == 2 {
            return Struck::Missed;
        }
        let name = self.account.zones[zone].clone();
        self.ec2.impair_zone(model(self.now), &name);
        let there = self.plane.instances.iter().filter(|instance| instance.az == name);
        let ids: Vec<String> = there.map(|instance| instance.id.clone()).collect();
        for guest in self.guests.iter_mut().filter(|guest| ids.contains(&guest.id)) {
            guest.dead = true;
        }
        self.refresh();
        Struck::Lasting(Token::Name(name))
    }
}
