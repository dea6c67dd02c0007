//! `kill -9` at random moments of failovers, again and again, in several labs at once.
//!
//! `cargo xtask torture --times N --seed S` runs this very test with other numbers. A seed repeats
//! what is broken and the times of the kills; what the machine does in between it can't repeat.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::Signal;
use rehome_lab::Status;

use crate::controller::Controller;
use crate::harness::{Lab, PATIENCE, VIP, poll, routes};

/// Kills where nothing else is asked for.
const TIMES: u64 = 20;

/// Labs at the same time.
const LABS: u64 = 4;

/// A failover with slow calls is over by then, mostly.
const FAILOVER_MS: u64 = 3_500;

/// Between a kill and the next start, at most.
const DOWN_MS: u64 = 500;

/// Starts after the last failover until nothing is left to be ended.
const STARTS_MAX: u32 = 3;

/// Kills in one failover, at most.
const KILLS_MAX: u64 = 3;

/// Calls that change something take their time, so that most kills hit one under way.
const SLOW: [&str; 4] =
    ["RunInstances", "ModifyNetworkInterfaceAttribute", "ReplaceRoute", "TerminateInstances"];

/// Ways to break a holder, and what has become of it in the end.
const WAYS: [(&str, &str); 6] = [
    ("crash", "terminated"),
    ("hang", "terminated"),
    ("network", "terminated"),
    ("terminate", "terminated"),
    // A person stopped it.
    ("stop", "stopped"),
    // It still answers at its primary address.
    ("lose-ip", "running"),
];

const FLAGS: [&str; 4] = ["--moves-per-hour", "1000", "--moves-per-day", "10000"];

/// Numbers that look random: splitmix64, of which the seed says everything.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// What was done so far, in all labs.
#[derive(Default)]
struct Tally {
    kills: u64,
    failovers: u64,
    /// Kills by what the controller had said last.
    after: BTreeMap<String, u64>,
    /// From the break to the proof that all is well again.
    longest: Duration,
}

/// The seed and where it went wrong, said only when it did.
struct Confession<'a> {
    times: u64,
    seed: u64,
    doing: &'a Mutex<String>,
}

impl Drop for Confession<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let doing = self.doing.lock().map(|doing| doing.clone()).unwrap_or_default();
            let (times, seed) = (self.times, self.seed);
            let again = format!("cargo xtask torture --times {times} --seed {seed}");
            eprintln!("torture: failed in {doing}; again: {again}");
        }
    }
}

fn asked(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is to be a number, not {text:?}")))
}

fn seed_of_today() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::from(since.expect("it is after 1970").subsec_nanos())
}

#[test]
fn kills_at_random_moments_of_failovers_lose_nothing_and_launch_nothing_twice() {
    let times = asked("REHOME_TORTURE_TIMES").unwrap_or(TIMES);
    let seed = asked("REHOME_TORTURE_SEED").unwrap_or_else(seed_of_today);
    println!("torture: {times} kills, seed {seed}");
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for number in 0..LABS.min(times) {
            let share = times / LABS + u64::from(number < times % LABS);
            let tally = &tally;
            scope.spawn(move || {
                let doing = Mutex::new(String::new());
                let _confession = Confession { times, seed, doing: &doing };
                let mut random = Random(seed.wrapping_add(number << 32));
                in_one_lab(number, share, times, &mut random, &doing, tally);
            });
        }
    });
    let tally = tally.into_inner().expect("no lab failed");
    assert_eq!(tally.kills, times);
    let after: Vec<String> = tally.after.iter().map(|(event, n)| format!("{event} {n}")).collect();
    println!(
        "torture: {} kills in {} failovers, as many launches; the longest took {:.1} s; \
         killed after: {}",
        tally.kills,
        tally.failovers,
        tally.longest.as_secs_f64(),
        after.join(", ")
    );
}

/// Failovers in a lab of its own, until so many kills are made.
fn in_one_lab(
    number: u64,
    kills: u64,
    times: u64,
    random: &mut Random,
    doing: &Mutex<String>,
    tally: &Mutex<Tally>,
) {
    let lab = Lab::up("instant");
    for action in SLOW {
        lab.fault(&["--action", action, "--latency", "400ms"]);
    }
    let mut controller = Controller::start(&lab, &FLAGS);
    let mut holder = lab.holder.id.clone();
    let mut fates: BTreeMap<String, &str> = BTreeMap::new();
    let mut left = kills;
    while left > 0 {
        controller.is_well();
        let way = usize::try_from(random.below(WAYS.len() as u64)).expect("there are few");
        let (how, fate) = WAYS[way];
        let broken = Instant::now();
        lab.break_(&holder, how);
        let round = left.min(1 + random.below(KILLS_MAX));
        for _ in 0..round {
            let at = random.below(FAILOVER_MS);
            *doing.lock().expect("nobody else holds it") =
                format!("lab {number}, {how}, kill {at} ms later");
            std::thread::sleep(Duration::from_millis(at));
            let last = controller.last_event();
            controller.kill9();
            let mut tally = tally.lock().expect("no lab failed");
            tally.kills += 1;
            println!("kill {} of {times}: lab {number}, {how}, after {last}", tally.kills);
            *tally.after.entry(last).or_default() += 1;
            drop(tally);
            std::thread::sleep(Duration::from_millis(random.below(DOWN_MS)));
            controller = Controller::start(&lab, &FLAGS);
        }
        left -= round;
        fates.insert(holder.clone(), fate);
        holder = is_well_again(&lab, &controller, &holder, &fates);
        let mut tally = tally.lock().expect("no lab failed");
        tally.failovers += 1;
        tally.longest = tally.longest.max(broken.elapsed());
    }
    nothing_is_left(&lab, controller, &holder);
}

/// The last words name the holder, and nothing that is still to be ended. What a killed process had
/// ordered, its successor has to read before it knows: it gets a few starts to do so.
#[track_caller]
fn nothing_is_left<'a>(lab: &'a Lab, mut controller: Controller<'a>, holder: &str) {
    let mut last = String::new();
    for _ in 0..STARTS_MAX {
        controller.is_well();
        controller.is_well();
        last = controller.ends_on(Signal::SIGTERM);
        assert!(last.contains(&format!("{VIP} is on {holder} ")), "{last}");
        if !last.contains("still to be ended") {
            return;
        }
        controller = Controller::start(lab, &FLAGS);
    }
    panic!("{last}");
}

/// The address is served by one new instance, every other one is what it should be, and there was
/// one launch for each failover; the new holder.
#[track_caller]
fn is_well_again(
    lab: &Lab,
    controller: &Controller<'_>,
    old: &str,
    fates: &BTreeMap<String, &str>,
) -> String {
    let new = poll(PATIENCE, || {
        let new = holder_of(&lab.status())?;
        (new != old && lab.vip_answers()).then_some(new)
    });
    let Some(new) = new else { controller.fail(&format!("no new home: {:#?}", lab.status())) };
    for (instance, fate) in fates {
        controller.wait_for_state(instance, fate);
    }
    controller.serves(&new);
    controller.launched(fates.len());
    let stray = |id: &String| *id != new && !fates.contains_key(id);
    let strays: Vec<String> = lab.launched().into_iter().map(|one| one.id).filter(stray).collect();
    assert!(strays.is_empty(), "nobody knows of {strays:?}: {:#?}", lab.status());
    new
}

/// The instance that all routes lead to, where it is one.
fn holder_of(status: &Status) -> Option<String> {
    let mut targets = routes(status).into_iter().map(|(_, route)| route.instance);
    let first = targets.next()??;
    targets.all(|other| other.as_ref() == Some(&first)).then_some(first)
}
