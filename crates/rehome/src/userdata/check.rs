//! `--check`: a machine boots with the user data in a lab of its own. Does the address come up,
//! does it answer, and is it there again after a reboot?
//!
//! The lab has addresses of its own, so the template is rendered once more for the lab's subnet.
//! The lab ends with its owner's pipe, however this process ends.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rehome_core::call::{Call, Launch, Reply};
use rehome_core::digest::sha256_hex;
use rehome_core::fault::CallError;
use rehome_core::placement::Site;
use rehome_core::spec::{LaunchSpec, Parts, Wishes};
use rehome_core::world::Instance;
use rehome_lab::Status;
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::aws::client::Aws;
use crate::fail::{FAILED, Failure, Problem};
use crate::template::{Template, Vars};

/// What a boot with all that the user data does may take.
const UP_WITHIN: Duration = Duration::from_secs(60);

/// When user data has ended, services that it started may still be about to set the address.
const GRACE: Duration = Duration::from_secs(5);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The machines of every lab.
const HOLDER: &str = "vip-a";
const MONITOR: &str = "monitor";

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    /// The interface has the address.
    came_up: bool,
    /// It answers the monitor's pings.
    answers: bool,
    /// After a reboot it has it, and answers, again.
    survives_reboot: bool,
}

impl Report {
    pub(super) fn is_ok(&self) -> bool {
        self.came_up && self.answers && self.survives_reboot
    }
}

/// Boots a machine with the template's user data; what comes of it is told on stderr.
///
/// # Errors
/// Where the lab can't do its part, or can't run such user data.
pub(super) fn check(
    runtime: &Runtime,
    template: &Template,
    sample: &Vars,
) -> Result<Report, Failure> {
    eprintln!("Starting a lab");
    let lab = Lab::up()?;
    let trial = runtime.block_on(Trial::begin(&lab, template, sample))?;
    Ok(trial.run(&lab))
}

fn failed(what: impl Into<String>) -> Failure {
    Failure::new(FAILED, Problem { what: what.into(), hint: None })
}

/// A lab, for as long as this value lives.
struct Lab {
    name: String,
    up: Child,
}

impl Lab {
    fn up() -> Result<Lab, Failure> {
        let name = format!("check-{}", std::process::id());
        let mut up = command(&name, &["up", "--pace", "instant", "--until-eof"])?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(format!("the lab can't be started: {error}")))?;
        let mut line = String::new();
        let stdout = up.stdout.take().expect("it was asked for");
        if BufReader::new(stdout).read_line(&mut line).is_err() || line.is_empty() {
            let output = up.wait_with_output().map_err(|error| failed(error.to_string()))?;
            let text = String::from_utf8_lossy(&output.stderr);
            let text = text.trim().trim_start_matches("error: ");
            return Err(crate::lab::problem(&anyhow::anyhow!("{text}")));
        }
        Ok(Lab { name, up })
    }

    /// What a command of the lab prints; none where it fails.
    fn ask(&self, words: &[&str]) -> Option<String> {
        let mut command = command(&self.name, words).ok()?;
        let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn exec(&self, instance: &str, words: &[&str]) -> Option<String> {
        self.ask(&[&["exec", instance, "--"], words].concat())
    }

    fn status(&self) -> Result<Status, Failure> {
        let json = self.ask(&["status", "--json"]).unwrap_or_default();
        serde_json::from_str(&json).map_err(|_| failed("the lab doesn't tell how it is"))
    }

    /// Its API, with the keys that it gives to operators.
    async fn aws(&self) -> Result<Aws, Failure> {
        let lines = self.ask(&["env"]).unwrap_or_default();
        let value = |name: &str| {
            let begin = format!("export {name}=");
            lines.lines().find_map(|line| line.strip_prefix(&begin)).unwrap_or_default()
        };
        Ok(Aws::of_lab(
            value("AWS_ENDPOINT_URL"),
            value("AWS_REGION"),
            value("AWS_ACCESS_KEY_ID"),
            value("AWS_SECRET_ACCESS_KEY"),
        )
        .await)
    }
}

fn command(lab: &str, words: &[&str]) -> Result<Command, Failure> {
    let exe = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new(exe);
    command.args(["lab", "--lab", lab]).args(words);
    Ok(command)
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.up.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(15);
        while matches!(self.up.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        // Whatever hasn't ended by now is ours to end.
        let _ = self.up.kill();
        let _ = self.up.wait();
    }
}

/// A machine that was launched with the user data, with a route for the address.
struct Trial {
    instance: String,
    vip: String,
}

impl Trial {
    async fn begin(lab: &Lab, template: &Template, sample: &Vars) -> Result<Trial, Failure> {
        let status = lab.status()?;
        let vip = sample.vip.address.to_string();
        let has = |address: &String| address.split('/').next() == Some(vip.as_str());
        if status
            .instances
            .iter()
            .any(|one| one.name.as_deref() == Some(MONITOR) && one.addresses.iter().any(has))
        {
            return Err(Failure::wrong(Problem::new(
                format!("in a lab {vip} is the monitor's own address, which would answer itself"),
                "try it with another address, like 10.0.0.10/32",
            )));
        }
        let aws = lab.aws().await?;
        let model = model(&aws, &status).await?;
        let vars = vars(&status, &model, sample)?;
        let user_data = template.render(&vars).map_err(|error| super::wrong(&error))?;
        if !user_data.starts_with("#!") {
            return Err(Failure::wrong(Problem::new(
                "the lab runs user data that is a script (#!) and no other",
                "leave out --check, and try it on a machine of your own",
            )));
        }
        eprintln!(
            "Launching a machine in the lab's {}, {} (router {}): the template is rendered for \
             that",
            vars.site.az,
            vars.site.cidr,
            vars.site.cidr.router()
        );
        let instance = launch(&aws, &model, &vars, &user_data).await?;
        point_routes(&aws, &instance, &vars).await?;
        Ok(Trial { instance: instance.id.to_string(), vip: vars.vip.address.to_string() })
    }

    fn run(&self, lab: &Lab) -> Report {
        let Trial { instance, vip } = self;
        let mut report = Report { came_up: self.comes_up(lab), ..Report::default() };
        tell(
            report.came_up,
            [
                &format!("{vip} is on the machine's interface"),
                &format!("{vip} isn't on the machine's interface"),
            ]
            .map(String::as_str),
            "add it in the script",
        );
        report.answers = report.came_up && self.answers(lab);
        if report.came_up {
            let hint =
                "does its firewall let pings in, and its route for replies lead to the router?";
            let said = [&format!("{vip} answers pings"), &format!("{vip} doesn't answer pings")];
            tell(report.answers, said.map(String::as_str), hint);
        }
        if !report.answers {
            return report;
        }
        eprintln!("Rebooting it");
        let marked = lab.exec(instance, &["touch", "/run/rehome-before-the-boot"]).is_some();
        let rebooted = marked
            && lab.ask(&["break", instance, "reboot"]).is_some()
            && until(UP_WITHIN, || {
                lab.exec(instance, &["test", "!", "-e", "/run/rehome-before-the-boot"]).is_some()
            });
        report.survives_reboot = rebooted && self.comes_up(lab) && self.answers(lab);
        tell(
            report.survives_reboot,
            [
                &format!("{vip} answers after a reboot"),
                &format!("{vip} doesn't answer after a reboot"),
            ]
            .map(String::as_str),
            "user data runs once in a machine's life; install a unit that sets the address at \
             every boot, as examples/userdata_template.sh does",
        );
        report
    }

    /// Whether the interface gets the address: no later than a moment after user data has ended.
    fn comes_up(&self, lab: &Lab) -> bool {
        let mut ended: Option<Instant> = None;
        let mut up = false;
        until(UP_WITHIN, || {
            up = self.has_address(lab);
            match ended {
                Some(since) if since.elapsed() > GRACE => return true,
                Some(_) => {}
                None if self.is_through(lab) => ended = Some(Instant::now()),
                None => {}
            }
            up
        });
        up
    }

    fn has_address(&self, lab: &Lab) -> bool {
        let Ok(status) = lab.status() else { return false };
        let Some(found) = status.instances.iter().find(|one| one.id == self.instance) else {
            return false;
        };
        let vip = |address: &String| address.split('/').next() == Some(self.vip.as_str());
        found.addresses.iter().any(vip)
    }

    /// Whether the machine is up and its user data has run, now or at an earlier boot. The brackets
    /// keep this very command from being found.
    fn is_through(&self, lab: &Lab) -> bool {
        const SCRIPT: &str = "test -e /var/lib/cloud/instance/sem/config_scripts_user && \
                              ! grep -qs 'scripts/part-00[1]' /proc/[0-9]*/cmdline";
        lab.exec(&self.instance, &["sh", "-c", SCRIPT]).is_some()
    }

    fn answers(&self, lab: &Lab) -> bool {
        let ping = ["ping", "-n", "-c", "1", "-W", "1", &self.vip];
        until(GRACE, || lab.exec(MONITOR, &ping).is_some())
    }
}

/// Looks again and again; false where there never was anything to see.
fn until(within: Duration, mut look: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + within;
    while Instant::now() < deadline {
        if look() {
            return true;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    false
}

fn tell(good: bool, [yes, no]: [&str; 2], hint: &str) {
    if good {
        eprintln!("ok: {yes}");
    } else {
        eprintln!("failed: {no}\nhint: {hint}");
    }
}

fn asked(error: &CallError) -> Failure {
    failed(format!("the lab refuses: {error}"))
}

/// The lab's own holder: the machine is built as it is.
async fn model(aws: &Aws, status: &Status) -> Result<Instance, Failure> {
    let holder = status.instances.iter().find(|one| one.name.as_deref() == Some(HOLDER));
    let id = holder.and_then(|holder| holder.id.parse().ok());
    let ids: Vec<_> = id.into_iter().collect();
    let found = aws.instances_by_ids(&ids).await.map_err(|error| asked(&error))?;
    found.into_iter().next().ok_or_else(|| failed("the lab has no holder"))
}

/// The variables for a subnet of the lab that is not the holder's.
fn vars(status: &Status, model: &Instance, sample: &Vars) -> Result<Vars, Failure> {
    let home = model.az.as_ref().map(|az| az.as_str());
    let subnet = status.subnets.iter().find(|subnet| Some(subnet.az.as_str()) != home);
    let site = subnet.and_then(|subnet| {
        Some(Site {
            az: subnet.az.parse().ok()?,
            subnet: subnet.id.parse().ok()?,
            cidr: subnet.cidr.parse().ok()?,
        })
    });
    let vpc = status.vpc.parse().ok();
    match (site, vpc) {
        (Some(site), Some(vpc)) => {
            let region = site.az.as_str();
            let region = region[..region.len() - 1].to_owned();
            Ok(Vars { site, vpc, region, ..sample.clone() })
        }
        _ => Err(failed("the lab has no second subnet")),
    }
}

async fn launch(
    aws: &Aws,
    model: &Instance,
    vars: &Vars,
    user_data: &str,
) -> Result<Instance, Failure> {
    let image = match &model.image {
        Some(image) => aws.image(image).await.map_err(|error| asked(&error))?,
        None => None,
    };
    let ids: Vec<String> = model.volumes.iter().map(|attached| attached.volume.clone()).collect();
    let volumes = aws.volumes(&ids).await.map_err(|error| asked(&error))?;
    let parts = Parts { image, volumes, ..Parts::default() };
    let mut spec = LaunchSpec::of(model, &parts, &Wishes::default())
        .map_err(|error| failed(error.to_string()))?;
    spec.tags = BTreeMap::from([("Name".to_owned(), "check".to_owned())]);
    let launch = Launch {
        spec,
        subnet: vars.site.subnet.clone(),
        az: vars.site.az.clone(),
        token: format!("check-{}", std::process::id()),
        tags: BTreeMap::new(),
        user_data_sha256: sha256_hex(user_data.as_bytes()),
    };
    let reply = aws.call(&Call::Launch(Box::new(launch)), Some(user_data)).await;
    match reply.map_err(|error| asked(&error))? {
        Reply::Launched(instance) => Ok(*instance),
        Reply::Instances(_)
        | Reply::Statuses(_)
        | Reply::Tables(_)
        | Reply::Path(_)
        | Reply::Zones(_)
        | Reply::Done => Err(failed("the lab answered a launch with something else")),
    }
}

/// What a move does: source/dest check off, and every table's route to the new machine.
async fn point_routes(aws: &Aws, instance: &Instance, vars: &Vars) -> Result<(), Failure> {
    let Some(interface) = instance.primary_interface().map(|interface| interface.id.clone()) else {
        return Err(failed("the machine has no interface"));
    };
    let mut calls = vec![Call::DisableSourceDestCheck { interface: interface.clone() }];
    let destination = vars.vip.destination;
    for table in aws.tables(&vars.vpc).await.map_err(|error| asked(&error))? {
        let (table, there) = (table.id.clone(), table.route(destination).is_some());
        let interface = interface.clone();
        calls.push(if there {
            Call::ReplaceRoute { table, destination, interface }
        } else {
            Call::CreateRoute { table, destination, interface }
        });
    }
    for call in &calls {
        aws.call(call, None).await.map_err(|error| asked(&error))?;
    }
    Ok(())
}
