//! The quick part of `rehome doctor`, before watching begins: would AWS let us move the address?

use std::collections::BTreeMap;
use std::time::Duration;

use rehome_core::call::Call;
use rehome_core::doctor::{Trial, denials, quick_trials};
use rehome_core::names::SubnetId;
use rehome_core::preflight::Start;
use tokio::time::timeout;

use crate::aws::client::Aws;
use crate::fail::{Failure, Problem, WRONG};

/// Trials that take longer than this don't keep the address unwatched.
const TRIALS_MAX: Duration = Duration::from_secs(10);

/// Tries a launch in the first site and a `ReplaceRoute` in each table.
///
/// Not while a move is under way, which mustn't wait. What isn't a clear no is none.
///
/// # Errors
/// Where a policy forbids what a move needs.
pub(super) async fn try_out(
    aws: &Aws,
    start: &Start,
    user_data: &BTreeMap<SubnetId, String>,
    digests: &BTreeMap<SubnetId, String>,
) -> Result<(), Failure> {
    if start.record.moving.is_some() {
        return Ok(());
    }
    let mut trials = Vec::new();
    let all = async {
        for call in quick_trials(&start.record, &start.sites.order, digests) {
            trials.push(tried(aws, call, user_data).await);
        }
    };
    // What was tried until then counts.
    let _ = timeout(TRIALS_MAX, all).await;
    let refusals = denials(&trials);
    if refusals.is_empty() {
        return Ok(());
    }
    let problems = refusals.into_iter().map(|one| Problem::new(one.what, one.hint)).collect();
    Err(Failure { code: WRONG, problems })
}

/// Tries one call, with the user data of its subnet where it is a launch.
pub(crate) async fn tried(aws: &Aws, call: Call, user_data: &BTreeMap<SubnetId, String>) -> Trial {
    let subnet = if let Call::Launch(launch) = &call { Some(&launch.subnet) } else { None };
    let text = subnet.and_then(|subnet| user_data.get(subnet));
    let answer = aws.try_out(&call, text.map(String::as_str)).await;
    Trial { call, answer }
}
