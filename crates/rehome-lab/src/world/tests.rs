use ec2_model::api::{InstanceState, RunInstances};
use ec2_model::{ImageSetup, Pace, Request};
use tokio::time::timeout;

use super::*;

/// A world in which a launch takes 60 ms to run and nothing else takes long.
fn world() -> (World, RunInstances) {
    let pace = Pace { launch_ms: 60, ..Pace::instant() };
    let mut ec2 = Ec2::new(pace, 1);
    ec2.create_zone("eu-west-1a", "euw1-az1");
    let vpc = ec2.create_vpc("10.0.0.0/16".parse().unwrap(), true);
    let block = "10.0.0.0/20".parse().unwrap();
    let subnet_id = Some(ec2.create_subnet(&vpc, "eu-west-1a", block).unwrap());
    let image_id = ec2.register_image(&ImageSetup::default());
    let launch = RunInstances {
        image_id,
        min_count: Some(1),
        max_count: Some(1),
        instance_type: Some("t3.micro".to_owned()),
        subnet_id,
        ..RunInstances::default()
    };
    (World::new(ec2), launch)
}

fn launch(world: &World, launch: RunInstances) {
    let request = Request::RunInstances(Box::new(launch));
    world.with(|ec2, now| ec2.operate(now, &request)).expect("the launch is in order");
}

fn states(world: &World) -> Vec<InstanceState> {
    let instances = world.plane().instances;
    instances.iter().map(|instance| instance.state).collect()
}

#[tokio::test]
async fn the_clock_performs_what_comes_due_while_nobody_calls() {
    let (world, request) = world();
    let clock = tokio::spawn(run_clock(world.clone()));
    let mut changes = world.changes();
    launch(&world, request);
    changes.changed().await.unwrap();
    assert_eq!(states(&world), [InstanceState::Pending]);
    changes.mark_unchanged();
    timeout(Duration::from_secs(5), changes.changed())
        .await
        .expect("the change is announced without a call")
        .unwrap();
    assert_eq!(states(&world), [InstanceState::Running]);
    clock.abort();
}

#[tokio::test]
async fn reading_announces_nothing() {
    let (world, request) = world();
    launch(&world, request);
    tokio::time::sleep(Duration::from_millis(80)).await;
    world.with(|_, _| ());
    let changes = world.changes();
    for _ in 0..3 {
        assert_eq!(states(&world), [InstanceState::Running]);
    }
    assert!(!changes.has_changed().unwrap());
}

#[test]
fn the_calendar_is_the_real_one() {
    let (world, _) = world();
    let told = world.with(|ec2, now| ec2.timestamp(now)).0;
    let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let apart = u64::try_from(real.as_millis()).unwrap().abs_diff(told);
    assert!(apart < 5_000, "{apart} ms");
}
