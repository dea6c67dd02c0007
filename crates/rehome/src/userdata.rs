//! `rehome user-data`: what a replacement would be told, and whether that does its work.
//!
//! `render` prints user data exactly as a launch would carry it ([`place`] finds out for which
//! subnet); with `--check` it boots a machine with it in a lab ([`check`]). `render-each` is for
//! the comparison with Jinja2 ([`batch`]).

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use rehome_core::names::{Az, GroupId, InstanceId, KeyName, SubnetId};
use rehome_core::net::Vip;

use crate::cli::{Given, destination};
use crate::fail::{FAILED, Failure, Problem};
use crate::template::{Template, TemplateError, Vars};

mod batch;
mod check;
mod place;

/// The flags of `user-data`.
#[derive(Debug, Args)]
pub(crate) struct UserDataArgs {
    #[command(subcommand)]
    command: UserDataCommand,
}

#[derive(Debug, Subcommand)]
enum UserDataCommand {
    /// Print user data as a launch would carry it, and try it out with --check
    Render(Box<RenderArgs>),
    /// Render orders from stdin, a JSON object a line
    #[command(hide = true)]
    RenderEach,
}

/// The flags of `user-data render`.
#[derive(Debug, Args)]
pub(crate) struct RenderArgs {
    /// Jinja2 template of the user data
    #[arg(long, value_name = "FILE")]
    user_data_file: PathBuf,
    /// The address, as routes carry it (like 10.0.0.10/32)
    #[arg(long, value_name = "CIDR", value_parser = destination)]
    route_destination: Given<Vip>,
    /// Address in a wide destination that answers probes
    #[arg(long, value_name = "IP")]
    probe_address: Option<Ipv4Addr>,
    /// Subnet that the machine would boot in
    #[arg(long, value_name = "ID", conflicts_with = "az")]
    #[arg(required_unless_present_any = ["az", "check"])]
    subnet: Option<SubnetId>,
    /// Availability Zone: its only subnet, or with --instance-id the one that `run` would use
    #[arg(long, value_name = "NAME")]
    az: Option<Az>,
    /// The instance that holds the address; decides between the subnets of a zone
    #[arg(long, value_name = "ID")]
    instance_id: Option<InstanceId>,
    /// Boot a machine with it in a lab on this host: does the address come up, answer, and survive
    /// a reboot?
    #[arg(long)]
    check: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Taken as with `run`; changes nothing here
    #[arg(long, hide = true)]
    security_group: Vec<GroupId>,
    /// Taken as with `run`; changes nothing here
    #[arg(long, hide = true)]
    keypair: Option<KeyName>,
    /// Taken as with `run`; changes nothing here
    #[arg(long, hide = true)]
    debug: bool,
}

/// Runs a command of `user-data`.
pub(crate) fn run(args: UserDataArgs) -> Result<ExitCode, Failure> {
    match args.command {
        UserDataCommand::Render(args) => render(&args),
        UserDataCommand::RenderEach => {
            let (stdin, mut stdout) = (std::io::stdin().lock(), std::io::stdout().lock());
            batch::render_each(stdin, &mut stdout)
                .map(|()| ExitCode::SUCCESS)
                .map_err(|error| Failure::new(FAILED, Problem::of(&error, None)))
        }
    }
}

fn render(args: &RenderArgs) -> Result<ExitCode, Failure> {
    let template = Template::load(&args.user_data_file).map_err(|error| wrong(&error))?;
    let vip = args.route_destination.value;
    let vip = args.probe_address.map_or(Ok(vip), |address| vip.probed_at(address));
    let vip = vip.map_err(|error| Failure::wrong(Problem::of(&error, None)))?;
    let sample = Vars::sample(&args.route_destination.text, vip);
    template.check_early(&sample).map_err(|error| wrong(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(FAILED, Problem::of(&error, None)))?;
    let text = if args.subnet.is_some() || args.az.is_some() {
        let place = runtime.block_on(place::find(args))?;
        let vars =
            Vars { site: place.site, vpc: place.vpc, region: place.region, ..sample.clone() };
        Some(template.render(&vars).map_err(|error| wrong(&error))?)
    } else {
        None
    };
    if let Some(text) = text.as_ref().filter(|_| !args.json) {
        print(text)?;
    }
    let report = args.check.then(|| check::check(&runtime, &template, &sample)).transpose()?;
    if args.json {
        let document = serde_json::json!({ "user_data": text, "check": report });
        print(&format!("{document}\n"))?;
    }
    let good = report.as_ref().is_none_or(check::Report::is_ok);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn wrong(error: &TemplateError) -> Failure {
    Failure::wrong(Problem::of(error, Some(error.hint())))
}

/// Writes data to stdout, to the byte.
fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::new(FAILED, Problem::of(&error, None)))
}
