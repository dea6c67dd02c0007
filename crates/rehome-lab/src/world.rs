//! The lab's EC2 and its clock: one model, shared by everything that calls it.
//!
//! A [`World`] is a cheap handle; all clones mean the same model. The model knows only virtual
//! time, which runs here with the real clock from the moment the world was made. Whoever calls
//! the model does so through [`World::with`], which first performs what has come due. When that
//! changes what the data plane must look like, or when the next change is due, all who hold a
//! receiver from [`World::changes`] hear of it at once. [`run_clock`] performs what comes due
//! while nobody calls; the lab spawns it once and drops it at its end.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ec2_model::{Ec2, Plane, Time};
use tokio::sync::watch;

/// The clock looks at the model at least this often, in milliseconds. Nothing needs it while the
/// model names its next change; it bounds what a wrong answer to that question can cost.
const IDLE_MS: u64 = 60_000;

/// A handle to the lab's one EC2.
#[derive(Clone, Debug)]
pub struct World {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    ec2: Ec2,
    /// What was last announced. A change is a difference to it.
    plane: Plane,
    next: Option<Time>,
}

impl World {
    /// Takes over a model whose time is zero; it passes from now on, and the model's calendar
    /// is set to the real one's.
    #[must_use]
    pub fn new(mut ec2: Ec2) -> World {
        // A clock before 1970 is no reason to fail: the calendar then begins there.
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        let unix_ms = unix.unwrap_or_default().as_millis();
        ec2.set_epoch(u64::try_from(unix_ms).unwrap_or(u64::MAX));
        let state = State { plane: ec2.plane(Time(0)), next: ec2.next_change(), ec2 };
        World {
            shared: Arc::new(Shared {
                began: Instant::now(),
                state: Mutex::new(state),
                changed: watch::Sender::new(0),
            }),
        }
    }

    /// Milliseconds since the world was made.
    #[must_use]
    pub fn now(&self) -> Time {
        let passed = self.shared.began.elapsed().as_millis();
        Time(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// Performs what is due, then lets `act` use the model, then announces what became
    /// different. `act` must be quick: everyone else waits.
    pub fn with<R>(&self, act: impl FnOnce(&mut Ec2, Time) -> R) -> R {
        let mut state = self.lock();
        // The clock is read under the lock, so that the model never sees time run backwards.
        let now = self.now();
        state.ec2.advance(now);
        let result = act(&mut state.ec2, now);
        if state.note(now) {
            self.shared.changed.send_modify(|count| *count += 1);
        }
        result
    }

    /// What the data plane must look like now.
    #[must_use]
    pub fn plane(&self) -> Plane {
        self.with(|ec2, now| ec2.plane(now))
    }

    /// Hears of every change from now on. Changes that come faster than they are looked at
    /// count as one: look at the model again, whatever it was.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect("a panic inside the model has already ended the lab's use")
    }

    /// How long the clock may sleep.
    fn idle(&self) -> Duration {
        let next = self.lock().next;
        let now = self.now();
        let ms = next.map_or(IDLE_MS, |next| next.0.saturating_sub(now.0));
        Duration::from_millis(ms.min(IDLE_MS))
    }
}

impl State {
    /// Whether anything differs from what was last announced; remembers it if so.
    fn note(&mut self, now: Time) -> bool {
        let plane = self.ec2.plane(now);
        let next = self.ec2.next_change();
        if plane == self.plane && next == self.next {
            return false;
        }
        self.plane = plane;
        self.next = next;
        true
    }
}

/// Performs every transition of the model when it is due, for as long as it is polled.
pub async fn run_clock(world: World) {
    let mut changes = world.changes();
    loop {
        // A sleep that ends a little early finds nothing due and sleeps again, so it is never
        // shorter than the timer's millisecond.
        let idle = world.idle().max(Duration::from_millis(1));
        tokio::select! {
            () = tokio::time::sleep(idle) => world.with(|_, _| ()),
            heard = changes.changed() => {
                if heard.is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
