//! `bench outage --standby hot`: what a client misses when a standby takes over, again and again.
//!
//! One lab whose API takes 150 to 300 ms for every call, and one `rehome run` that probes every
//! 200 ms. The holder crashes, the standby takes over, the old holder is terminated and the next
//! standby comes up; then the new holder crashes. The outage is what the client heard; its parts
//! are read from rehome's own events.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::client::Client;
use super::story::{Heard, Lab, PING_INTERVAL_S, STEADY, TICK, VIP, mission, since_epoch};

/// The aims: of all outages 99 in 100, and what isn't detection or the API's time.
const OUTAGE_P99: Duration = Duration::from_millis(1_500);
const OWN_MEDIAN: Duration = Duration::from_millis(100);
const OWN_P99: Duration = Duration::from_millis(400);

/// Time for one failover with everything around it.
const ONE_LIMIT: Duration = Duration::from_secs(120);

/// What a bar of the drawing stands for.
const BUCKET: Duration = Duration::from_millis(50);

/// Flags of `rehome run` beside the mission's.
const FLAGS: [&str; 13] = [
    "run",
    "--standby",
    "hot",
    "--interval",
    "200ms",
    "--fence-after",
    "1s",
    "--moves-per-hour",
    "1000",
    "--moves-per-day",
    "10000",
    "--log-format",
    "json",
];

/// One failover.
#[derive(Clone, Copy, Debug)]
struct Takeover {
    /// Without an answer, at the client.
    outage: Duration,
    /// From the client's last answer to the decision.
    detect: Duration,
    /// From the decision to the first route call.
    commit: Duration,
    /// From the first route call to the last answer to one.
    routes: Duration,
}

impl Takeover {
    /// What is neither detection nor the API's.
    fn own(&self) -> Duration {
        self.outage.saturating_sub(self.detect + self.routes)
    }
}

/// What was heard of the present failover.
#[derive(Default)]
struct Marks {
    moving: Option<Duration>,
    cutting: Option<Duration>,
    routed: Option<Duration>,
    holder: Option<String>,
    standby: Option<String>,
    done: bool,
}

struct Run<'a> {
    lab: Lab<'a>,
    heard: Receiver<Heard>,
    client: Client,
    marks: Marks,
}

/// Measures and prints; false when an aim is missed.
pub(super) fn run(rehome: &std::path::Path, failovers: usize, as_json: bool) -> Result<bool> {
    let takeovers = measure(rehome, failovers)?;
    let met = is_met(&takeovers);
    if as_json {
        println!("{:#}", document(&takeovers));
    } else {
        print!("{}", page(&takeovers));
    }
    Ok(met)
}

fn measure(rehome: &std::path::Path, failovers: usize) -> Result<Vec<Takeover>> {
    let mut run = Run::begin(rehome)?;
    let told = run.all(failovers);
    run.lab.end();
    told
}

impl Run<'_> {
    fn begin(rehome: &std::path::Path) -> Result<Run<'_>> {
        let mut lab = Lab::new(rehome, "hot")?;
        lab.up("brisk")?;
        let (sender, heard) = channel();
        let ping = ["ping", "-D", "-O", "-n", "-i", PING_INTERVAL_S, VIP];
        lab.listen(&ping, sender.clone(), Heard::Client)?;
        let program = rehome.display().to_string();
        let mut words = vec![program];
        words.extend(FLAGS.map(str::to_owned));
        words.extend(mission(&lab)?);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        lab.listen(&words, sender, |line| Heard::Program(line, since_epoch()))?;
        Ok(Run { lab, heard, client: Client::default(), marks: Marks::default() })
    }

    fn all(&mut self, failovers: usize) -> Result<Vec<Takeover>> {
        let terminal = std::io::stderr().is_terminal();
        let mut takeovers = Vec::new();
        while takeovers.len() < failovers {
            if terminal {
                eprint!("\r\x1b[2K{} of {failovers} failovers", takeovers.len());
                let _ = std::io::stderr().flush();
            }
            takeovers.push(
                self.one()
                    .with_context(|| format!("failover {} of {failovers}", takeovers.len() + 1))?,
            );
        }
        if terminal {
            eprint!("\r\x1b[2K");
        }
        Ok(takeovers)
    }

    fn one(&mut self) -> Result<Takeover> {
        self.hear_until(|run| {
            let ready = run.marks.standby.is_some() && run.marks.holder.is_some();
            ready && run.client.is_steady(STEADY, since_epoch())
        })?;
        let holder = self.marks.holder.take().context("nobody holds the address")?;
        self.marks = Marks::default();
        self.client.forget();
        let crash = since_epoch();
        self.lab.run(&["break", &holder, "crash"])?;
        self.hear_until(|run| run.marks.done && run.client.is_steady(STEADY, since_epoch()))?;
        let silence = self.client.longest_silence().context("the client heard nothing")?;
        let marks = &self.marks;
        let (Some(moving), Some(cutting), Some(routed)) =
            (marks.moving, marks.cutting, marks.routed)
        else {
            bail!("a part of the failover wasn't told");
        };
        if silence.from + TICK < crash {
            bail!("the longest silence is not that of the crash: {silence:?}, crash {crash:?}");
        }
        Ok(Takeover {
            outage: silence.length(),
            detect: moving.saturating_sub(silence.from),
            commit: cutting.saturating_sub(moving),
            routes: routed.saturating_sub(cutting),
        })
    }

    fn hear_until(&mut self, enough: impl Fn(&Run<'_>) -> bool) -> Result<()> {
        let deadline = Instant::now() + ONE_LIMIT;
        let mut look = Instant::now();
        loop {
            match self.heard.recv_timeout(TICK) {
                Ok(Heard::Client(Some(line))) => self.client.hear(&line),
                Ok(Heard::Program(Some(line), at)) => {
                    writeln!(self.lab.log, "{line}")?;
                    if let Ok(event) = serde_json::from_str(&line) {
                        self.note(&event, at);
                    }
                }
                Ok(Heard::Client(None) | Heard::Program(None, _)) => bail!("it has ended early"),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => bail!("both programs have ended early"),
            }
            if look.elapsed() < TICK {
                continue;
            }
            look = Instant::now();
            if enough(self) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("not at its end after {} s", ONE_LIMIT.as_secs());
            }
        }
    }

    fn note(&mut self, event: &Value, at: Duration) {
        let instance = || event["instance"].as_str().map(str::to_owned);
        let marks = &mut self.marks;
        match event["event"].as_str().unwrap_or_default() {
            "status" => {
                let text = event["text"].as_str().unwrap_or_default();
                if text.ends_with("RUNNING, PING: REACHABLE") {
                    marks.holder = instance();
                }
            }
            "standby-ready" => marks.standby = instance(),
            "moving" => marks.moving = Some(at),
            "cutting" => marks.cutting = Some(at),
            "routed" => marks.routed = Some(at),
            "now-monitoring" => {
                marks.done = true;
                marks.holder = instance();
            }
            _other => {}
        }
    }
}

/// The figure below which `percent` of all lie; of few, the one at that place.
fn percentile(mut figures: Vec<Duration>, percent: usize) -> Duration {
    figures.sort_unstable();
    let place = (figures.len() * percent).div_ceil(100).max(1);
    figures.get(place - 1).copied().unwrap_or_default()
}

type Part = (&'static str, fn(&Takeover) -> Duration, &'static str);

const PARTS: [Part; 5] = [
    ("outage", |one| one.outage, "without an answer, at the client"),
    ("detect", |one| one.detect, "until the silence is believed and EC2 was read"),
    ("commit", |one| one.commit, "until the first route call"),
    ("routes", |one| one.routes, "until the last answer to one: the API's own time"),
    ("own", Takeover::own, "neither detection nor the API's"),
];

fn figures(takeovers: &[Takeover], of: fn(&Takeover) -> Duration, percent: usize) -> Duration {
    percentile(takeovers.iter().map(of).collect(), percent)
}

fn is_met(takeovers: &[Takeover]) -> bool {
    figures(takeovers, |one| one.outage, 99) <= OUTAGE_P99
        && figures(takeovers, Takeover::own, 50) <= OWN_MEDIAN
        && figures(takeovers, Takeover::own, 99) <= OWN_P99
}

fn page(takeovers: &[Takeover]) -> String {
    let ms = |took: Duration| format!("{} ms", took.as_millis());
    let mut text = format!(
        "{} failovers to a hot standby: probes every 200 ms, every call of the API takes\n\
         150 to 300 ms, and a client that pings the address every 10 ms.\n\n{:<8}{:>9}{:>9}{:>9}\n",
        takeovers.len(),
        "",
        "p50",
        "p99",
        "most",
    );
    for (name, of, what) in PARTS {
        let [half, most, all] = [50, 99, 100].map(|percent| ms(figures(takeovers, of, percent)));
        text.push_str(&format!("{name:<8}{half:>9}{most:>9}{all:>9}   {what}\n"));
    }
    text.push_str("\noutages\n");
    let bucket = |one: &Takeover| one.outage.as_millis() / BUCKET.as_millis();
    let (first, last) = takeovers
        .iter()
        .map(bucket)
        .fold((u128::MAX, 0), |(low, high), at| (low.min(at), high.max(at)));
    for at in first..=last {
        let many = takeovers.iter().filter(|one| bucket(one) == at).count();
        let from = at * BUCKET.as_millis();
        text.push_str(format!("{from:>6} ms {}\n", "#".repeat(many)).as_str());
    }
    let word = if is_met(takeovers) { "met" } else { "missed" };
    text.push_str(&format!(
        "\nAims: outage p99 at most {}, own median at most {} and p99 at most {}: {word}\n",
        ms(OUTAGE_P99),
        ms(OWN_MEDIAN),
        ms(OWN_P99)
    ));
    text
}

fn document(takeovers: &[Takeover]) -> Value {
    let ms = |took: Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let mut document = json!({ "failovers": takeovers.len(), "met": is_met(takeovers) });
    for (name, of, _) in PARTS {
        document[name] = json!({
            "p50_ms": ms(figures(takeovers, of, 50)),
            "p99_ms": ms(figures(takeovers, of, 99)),
            "max_ms": ms(figures(takeovers, of, 100)),
            "all_ms": takeovers.iter().map(|one| ms(of(one))).collect::<Vec<_>>(),
        });
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takeover(outage: u64, detect: u64, routes: u64) -> Takeover {
        let [outage, detect, routes] = [outage, detect, routes].map(Duration::from_millis);
        Takeover { outage, detect, commit: Duration::ZERO, routes }
    }

    #[test]
    fn percentiles_are_figures_that_were_measured() {
        let figures: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        for (percent, ms) in [(50, 100), (99, 198), (100, 200)] {
            assert_eq!(percentile(figures.clone(), percent), Duration::from_millis(ms));
        }
        assert_eq!(percentile(vec![Duration::from_millis(7)], 50), Duration::from_millis(7));
    }

    #[test]
    fn one_failover_in_a_hundred_may_be_slow_and_two_may_not() {
        let mut all = vec![takeover(1_100, 800, 250); 98];
        all.extend([takeover(1_450, 1_200, 250), takeover(9_000, 8_800, 200)]);
        assert!(is_met(&all));
        all.extend([takeover(1_501, 1_300, 200); 2]);
        assert!(!is_met(&all));
        assert!(!is_met(&[takeover(1_200, 800, 250)]), "150 ms of our own");
    }

    #[test]
    fn the_page_draws_each_failover_once_and_stays_narrow() {
        let all = [takeover(900, 700, 200), takeover(940, 700, 200), takeover(1_060, 800, 200)];
        let page = page(&all);
        let drawn: usize = page.lines().map(|line| line.matches('#').count()).sum();
        assert_eq!(drawn, 3, "{page}");
        assert!(page.lines().all(|line| line.len() < 96), "{page}");
        assert_eq!(document(&all)["outage"]["all_ms"], json!([900, 940, 1_060]));
    }
}
