//! The core's calls, tried: the very requests of a move, with `DryRun`.
//!
//! EC2 answers a DryRun with an error in any case: `DryRunOperation` where it would have done it,
//! `UnauthorizedOperation` where a policy forbids it (EC2 API reference, "Common parameters"), and
//! whatever else is wrong with the request where it looks that far.

use std::time::Duration;

use rehome_core::call::Call;
use rehome_core::fault::{CallError, ErrorClass};

use super::calls::recorded;
use super::client::{Aws, send};
use super::write;

/// How often a throttled trial is made again. `RunInstances` has a bucket of 5 that gains 2 a
/// second ("Request throttling for the Amazon EC2 API"), and there is a trial for each zone.
const THROTTLED_MAX: u32 = 3;

/// Between two of these.
const THROTTLED_WAIT: Duration = Duration::from_secs(1);

impl Aws {
    /// Whether EC2 would do `call`: nothing where it would, else what it says. `user_data` is the
    /// text for a `Launch`. What only reads is made as it is.
    ///
    /// # Errors
    /// As EC2 answers, but for `DryRunOperation`.
    pub(crate) async fn try_out(
        &self,
        call: &Call,
        user_data: Option<&str>,
    ) -> Result<(), CallError> {
        let mut answer = self.try_once(call, user_data).await;
        for _ in 0..THROTTLED_MAX {
            let throttled = matches!(&answer, Err(e) if e.class() == ErrorClass::Throttle);
            if !throttled {
                break;
            }
            tokio::time::sleep(THROTTLED_WAIT).await;
            answer = self.try_once(call, user_data).await;
        }
        answer
    }

    async fn try_once(&self, call: &Call, user_data: Option<&str>) -> Result<(), CallError> {
        let action = call.action();
        let ec2 = &self.ec2;
        judged(match call {
            Call::Launch(launch) => {
                let request = write::run_instances(launch, recorded(launch, user_data)?);
                send(action, request.dry_run(true).send_with(ec2)).await.map(|_| ())
            }
            Call::DisableSourceDestCheck { interface } => {
                let request = write::check_off(interface).dry_run(true);
                send(action, request.send_with(ec2)).await.map(|_| ())
            }
            Call::ReplaceRoute { table, destination, interface } => {
                let request = write::replace_route(table, *destination, interface).dry_run(true);
                send(action, request.send_with(ec2)).await.map(|_| ())
            }
            Call::CreateRoute { table, destination, interface } => {
                let request = write::create_route(table, *destination, interface).dry_run(true);
                send(action, request.send_with(ec2)).await.map(|_| ())
            }
            Call::Stop { instance, skip_os_shutdown } => {
                let request = write::stop(instance, *skip_os_shutdown).dry_run(true);
                send(action, request.send_with(ec2)).await.map(|_| ())
            }
            Call::Terminate { instance } => {
                let request = write::terminate(instance).dry_run(true);
                send(action, request.send_with(ec2)).await.map(|_| ())
            }
            Call::Instances { .. }
            | Call::Listed { .. }
            | Call::Statuses { .. }
            | Call::Tables { .. }
            | Call::Path { .. }
            | Call::Zones
            | Call::Launched { .. } => return self.call(call, None).await.map(|_| ()),
        })
    }
}

fn judged(answer: Result<(), CallError>) -> Result<(), CallError> {
    match answer {
        Err(CallError::Refused { code, .. }) if code == "DryRunOperation" => Ok(()),
        Err(error) => Err(error),
        // Not EC2, and not something to try anything else on.
        Ok(()) => Err(CallError::NoAnswer("the endpoint did it although only asked".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::stub::{Answer, Stub, refuses, says};
    use super::*;

    fn on_tokio<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn calls() -> Vec<Call> {
        let interface = || "eni-1a2b3c4d".parse().unwrap();
        let instance = || "i-1a2b3c4d".parse().unwrap();
        let table = || "rtb-1a2b3c4d".parse().unwrap();
        let destination = "10.0.0.10/32".parse().unwrap();
        vec![
            Call::DisableSourceDestCheck { interface: interface() },
            Call::ReplaceRoute { table: table(), destination, interface: interface() },
            Call::CreateRoute { table: table(), destination, interface: interface() },
            Call::Stop { instance: instance(), skip_os_shutdown: true },
            Call::Terminate { instance: instance() },
        ]
    }

    fn tried(call: &Call, answer: impl Fn() -> Answer + Send + Sync + 'static) -> (Stub, String) {
        on_tokio(async {
            let stub = Stub::new(move |_| answer()).await;
            let said = match stub.aws.try_out(call, None).await {
                Ok(()) => "allowed".to_owned(),
                Err(error) => error.to_string(),
            };
            (stub, said)
        })
    }

    #[test]
    fn every_change_is_tried_with_the_flag_and_only_dry_run_operation_allows_it() {
        for call in calls() {
            let would = || refuses(412, "DryRunOperation", "Request would have succeeded");
            let (stub, said) = tried(&call, would);
            assert_eq!(said, "allowed", "{call:?}");
            let requests = stub.requests();
            assert_eq!(requests.len(), 1);
            let request = &requests[0];
            assert!(request.contains(&format!("Action={}", call.action())), "{request}");
            assert!(request.contains("DryRun=true"), "{request}");
            let (_, said) = tried(&call, || refuses(403, "UnauthorizedOperation", "You may not"));
            assert_eq!(said, "UnauthorizedOperation: You may not", "{call:?}");
        }
    }

    #[test]
    fn an_endpoint_that_does_it_all_the_same_is_not_believed() {
        let call = &calls()[4];
        let (_, said) = tried(call, || says("TerminateInstances", "<instancesSet/>"));
        assert_eq!(said, "no answer: the endpoint did it although only asked");
    }

    #[test]
    fn a_throttled_trial_is_made_again() {
        on_tokio(async {
            let count = std::sync::atomic::AtomicU32::new(0);
            let stub = Stub::new(move |_| {
                if count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
                    refuses(503, "RequestLimitExceeded", "slow down")
                } else {
                    refuses(412, "DryRunOperation", "Request would have succeeded")
                }
            })
            .await;
            stub.aws.try_out(&calls()[0], None).await.unwrap();
            assert_eq!(stub.requests().len(), 2);
        });
    }
}
