//! What can be checked and taken before AWS is asked: contradictions, the template, the hook, the
//! state directory with its lock, and a socket to probe with.

use rehome_core::names::VpcId;
use rehome_core::placement::Site;
use rehome_core::record::Record;

use crate::cli::RunArgs;
use crate::fail::{Failure, Problem, TEMPORARY, WRONG};
use crate::hook;
use crate::store::journal::{Journal as _, Version};
use crate::store::{Store, StoreError, directory};
use crate::template::{Template, TemplateError, Vars};

/// Everything of this machine that a run needs.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) template: Template,
    pub(crate) store: Store,
    pub(crate) directory: std::path::PathBuf,
    pub(crate) known: Option<Record>,
    /// The version of the record that was read.
    pub(crate) version: Option<Version>,
    /// Why there is a record that can't be used, where that is so.
    pub(crate) unusable: Option<StoreError>,
}

/// Takes it, or says what is wrong.
pub(crate) fn prepare(args: &RunArgs) -> Result<Prepared, Failure> {
    let template = check(args)?;
    let directory = directory(args.operation.state_dir.as_deref()).map_err(stored)?;
    let store = Store::open(&directory, args.vip().address).map_err(stored)?;
    let (read, unusable) = match store.load() {
        Ok(read) => (read, None),
        Err(
            error @ (StoreError::Corrupt { .. }
            | StoreError::Older { .. }
            | StoreError::Newer { .. }),
        ) => (None, Some(error)),
        Err(error) => return Err(stored(error)),
    };
    let (known, version) = read.unzip();
    Ok(Prepared { template, store, directory, known, version, unusable })
}

/// Checks the flags, the template and the hook, and takes nothing.
pub(crate) fn check(args: &RunArgs) -> Result<Template, Failure> {
    let problems = contradictions(args);
    if !problems.is_empty() {
        return Err(Failure { code: WRONG, problems });
    }
    let template = load_template(args)?;
    if let Some(path) = &args.operation.notify_exec {
        hook::check(path)
            .map_err(|error| Failure::wrong(Problem::of(&error, Some(error.hint()))))?;
    }
    Ok(template)
}

pub(crate) fn stored(error: StoreError) -> Failure {
    let code = if matches!(error, StoreError::Locked { .. }) { TEMPORARY } else { WRONG };
    Failure::new(code, Problem::of(&error, Some(error.hint())))
}

/// Flags that contradict each other, each pair once.
pub(crate) fn contradictions(args: &RunArgs) -> Vec<Problem> {
    let policy = args.policy();
    let mut problems = Vec::new();
    if let Err(error) = args.checked_vip() {
        problems.push(Problem::of(&error, Some("name an address of the block".to_owned())));
    }
    let vip = args.vip().address;
    if args.operation.control_target.contains(&vip) {
        problems.push(Problem::new(
            format!("--control-target {vip} is the address that is watched"),
            "name other machines of yours, best one in each zone; they have to answer pings",
        ));
    }
    let block = &args.route_destination;
    if block.value.is_wide() && args.place.probe_address.is_none() {
        problems.push(Problem::new(
            format!(
                "{} is wider than one address, and nothing says what answers in it",
                block.text
            ),
            "name an address in it that the holder answers on with --probe-address",
        ));
    }
    if block.value.is_wide() && args.place.route_table.is_empty() {
        problems.push(Problem::new(
            format!("{} is wider than one address, and no table is named for it", block.text),
            "name each table whose route shall be moved with --route-table",
        ));
    }
    if policy.timeout > policy.silence_min() {
        problems.push(Problem::new(
            format!(
                "--timeout {:?} is longer than --fall {} times --interval {:?}",
                policy.timeout, policy.fall, policy.interval
            ),
            "a probe has to be lost before silence can be believed; shorten --timeout",
        ));
    }
    if policy.moves_per_hour > policy.moves_per_day {
        problems.push(Problem::new(
            format!(
                "--moves-per-hour {} is more than --moves-per-day {}",
                policy.moves_per_hour, policy.moves_per_day
            ),
            "raise --moves-per-day, or lower --moves-per-hour",
        ));
    }
    if policy.poll_interval_moving > policy.poll_interval {
        problems.push(Problem::new(
            "--poll-interval-moving is longer than --poll-interval",
            "during a move EC2 is read more often, not less",
        ));
    }
    problems
}

/// Reads the template and looks at it without AWS, so that a wrong one is found before anything is
/// watched. Whether it fits every subnet is known when EC2 has told which there are.
fn load_template(args: &RunArgs) -> Result<Template, Failure> {
    let wrong = |error: TemplateError| Failure::wrong(Problem::of(&error, Some(error.hint())));
    let template = Template::load(&args.user_data_file).map_err(wrong)?;
    let destination = &args.route_destination.text;
    template.check_early(&Vars::sample(destination, args.vip())).map_err(wrong)?;
    Ok(template)
}

/// The template's variables for a subnet.
pub(crate) fn vars(args: &RunArgs, site: &Site, vpc: &VpcId, region: &str) -> Vars {
    Vars {
        route_destination: args.route_destination.text.clone(),
        vip: args.vip(),
        site: site.clone(),
        vpc: vpc.clone(),
        region: region.to_owned(),
    }
}
