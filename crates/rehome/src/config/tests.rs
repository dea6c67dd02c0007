use std::time::Duration;

use super::*;
use crate::cli::LogFormat;

fn read_as(text: &str) -> Result<Vec<Rc<RunArgs>>, Vec<(String, String)>> {
    let read = of_text(Path::new("/etc/rehome/rehome.toml"), text);
    let read = read.map(|all| all.into_iter().map(|one| one.args).collect());
    read.map_err(|problems| {
        let told = |problem: Problem| (problem.what, problem.hint.unwrap_or_default());
        problems.into_iter().map(told).collect()
    })
}

const ONE: &str = r#"
[[vip]]
address = "10.0.0.10/32"
instance_id = "i-1234567890abcdef0"
security_group = ["sg-0123456789abcdef0"]
user_data_file = "userdata.sh"
"#;

#[test]
fn the_example_is_two_command_lines_and_the_defaults_hold_where_nothing_else_is_said() {
    let all = read_as(page::EXAMPLE).unwrap();
    let [one, other] = &all[..] else { panic!("{all:?}") };
    assert_eq!(one.route_destination.text, "10.0.0.10/32");
    assert_eq!(one.user_data_file, Path::new("/etc/rehome/userdata_template.sh"));
    assert_eq!(one.policy().interval, Duration::from_secs(1));
    assert_eq!(other.policy().interval, Duration::from_millis(200));
    assert_eq!(other.policy().fence.word(), "stop");
    for args in &all {
        assert_eq!(args.operation.state_dir.as_deref(), Some(Path::new("/var/lib/rehome")));
        assert_eq!(args.operation.control_target.len(), 1);
    }
}

#[test]
fn a_file_of_one_address_means_what_its_flags_mean() {
    let all = read_as(&format!("log_format = \"json\"\n{ONE}fall = 5\nobserve = true\n")).unwrap();
    let args = &all[0];
    assert_eq!((args.policy().fall, args.policy().observe), (5, true));
    assert_eq!(args.operation.log_format, LogFormat::Json);
    assert_eq!(args.operation.state_dir, None);
}

#[test]
fn a_list_of_its_own_takes_the_place_of_the_default() {
    let text = format!("[defaults]\ncontrol_target = [\"172.31.0.9\"]\n{ONE}control_target = []\n");
    assert!(read_as(&text).unwrap()[0].operation.control_target.is_empty());
}

#[test]
fn what_is_wrong_is_told_with_line_key_what_is_accepted_and_a_hint() {
    for (text, line, said, hint) in [
        ("", 1, "no address is named", "[[vip]]"),
        ("= 1\n", 1, "key", "TOML"),
        (&*format!("{ONE}intervall = \"1s\"\n"), 7, "`intervall` is no key", "`interval`?"),
        (&format!("{ONE}colour = 1\n"), 7, "`colour` is no key", "man rehome.toml"),
        (&format!("{ONE}interval = 5\n"), 7, "`interval`: `5` is not a duration", "like \"1s\""),
        (&format!("{ONE}interval = 1.5\n"), 7, "`interval`: float is given", "a duration"),
        (&format!("{ONE}fall = 0\n"), 7, "`fall`: 0 is not in 1..=1000", "Intervals without"),
        (&format!("{ONE}fence = \"detach\"\n"), 7, "`detach` is not", "none, stop, terminate"),
        (&format!("{ONE}observe = \"yes\"\n"), 7, "`observe`: string is given", "true or false"),
        (&format!("{ONE}timeout = [\"1s\"]\n"), 7, "a list is given", "a duration"),
        (&format!("{ONE}state_dir = \"/x\"\n"), 7, "can't stand in [[vip]]", "at the top"),
        (&format!("instance_id = \"i-1\"\n{ONE}"), 1, "can't stand at the top", "in [[vip]]"),
        (&format!("[defaults]\naddress = \"10.0.0.1/32\"\n{ONE}"), 2, "can't stand", "in [[vip]]"),
        (&format!("[defaults]\ninterval = \"5\"\n{ONE}"), 2, "`5` is not a duration", "like"),
        (&format!("[vip]\naddress = 1\n{}", ""), 1, "not a list of tables", "[[vip]]"),
        (
            &ONE.replace("[\"sg-0123456789abcdef0\"]", "[]"),
            5,
            "`security_group` is empty",
            "Security group",
        ),
        (
            &format!("{ONE}{}", ONE.replace("10/32", "8/29\"\nprobe_address = \"10.0.0.9")),
            8,
            "is in line 2 already",
            "one table",
        ),
        (&format!("{ONE}{ONE}"), 8, "10.0.0.10 is in line 2 already", "one table"),
        (
            &format!("{ONE}{}", ONE.replace("10.0.0.10", "10.0.0.11")),
            8,
            "holds the address of line 2",
            "an instance of its own",
        ),
    ] {
        let told = read_as(text).unwrap_err();
        assert_eq!(told.len(), 1, "{text}\n{told:?}");
        let (what, hinted) = &told[0];
        assert!(what.starts_with(&format!("/etc/rehome/rehome.toml:{line}: ")), "{text}\n{what}");
        assert!(what.contains(said), "{text}\n{what}");
        assert!(hinted.contains(hint), "{text}\n{hinted}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let text = "[defaults]\ninterval = 7\n[[vip]]\nfall = 0\nrise = 0\n[[vip]]\nadress = 1\n";
    let told = read_as(text).unwrap_err();
    let lines = |start: &str| told.iter().filter(|(what, _)| what.contains(start)).count();
    assert_eq!(lines("`interval`"), 1, "once, and not for each address: {told:?}");
    for said in [":4: `fall`", ":5: `rise`", ":7: `adress`", ":3: `address` is missing"] {
        assert_eq!(lines(said), 1, "{said}: {told:?}");
    }
    assert_eq!(lines(":6: `instance_id` is missing"), 1, "{told:?}");
}

#[test]
fn every_key_of_the_page_is_a_flag_and_every_flag_is_on_the_page() {
    let page = page::page();
    for key in keys() {
        assert!(page.contains(&key.name.replace('-', "\\-")), "{}", key.name);
    }
    assert!(keys().iter().any(|key| key.name == "address" && key.is_required()));
    assert!(keys().iter().all(|key| key.name != "debug"));
}

#[test]
fn a_reload_tells_each_key_that_changed_and_nothing_else() {
    let read = |text: &str| of_text(Path::new("rehome.toml"), text).unwrap().remove(0);
    let before = read(&format!("{ONE}interval = \"1s\"\nsubnet = [\"subnet-0123abcd\"]\n"));
    let after = read(&format!("# anew\n{ONE}interval = \"2s\"\nobserve = true\n"));
    assert_eq!(
        before.changes(&after),
        [
            "interval: 1s -> 2s",
            "observe: not given -> true",
            "subnet: subnet-0123abcd -> not given"
        ]
    );
    assert!(before.changes(&before).is_empty());
}
