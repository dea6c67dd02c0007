use super::*;

fn overlay() -> Overlay {
    "10.0.0.100/24".parse().unwrap()
}

fn address(interface: &str, text: &str, label: &str) -> Address {
    let (address, prefix) = text.split_once('/').unwrap();
    Address {
        interface: interface.to_owned(),
        address: address.parse().unwrap(),
        prefix: prefix.parse().unwrap(),
        label: label.to_owned(),
    }
}

fn rule(priority: u32, to: &str, table: Option<u32>, ours: bool) -> Rule {
    Rule { priority, destination: to.parse().unwrap(), table, ours }
}

fn route(table: u32, to: &str, via: Option<&str>, dev: &str, src: Option<&str>) -> Route {
    Route {
        table,
        destination: to.parse().unwrap(),
        gateway: via.map(|via| via.parse().unwrap()),
        interface: Some(dev.to_owned()),
        source: src.map(|src| src.parse().unwrap()),
        metric: 0,
        ours: false,
    }
}

/// A monitoring machine that has just booted.
fn bare() -> Observed {
    Observed {
        addresses: vec![
            address("lo", "127.0.0.1/8", "lo"),
            address("enX0", "172.31.16.10/20", "enX0"),
        ],
        rules: Vec::new(),
        routes: vec![
            Route { metric: 512, ..route(254, "0.0.0.0/0", Some("172.31.16.1"), "enX0", None) },
            route(254, "172.31.16.0/20", None, "enX0", Some("172.31.16.10")),
        ],
    }
}

fn wanted() -> Wanted {
    Wanted::new(overlay(), 200, &way(&bare(), None).unwrap())
}

/// What the mission's `rc.local` leaves behind: the same three things, without a mark.
fn by_hand() -> Observed {
    let mut observed = bare();
    observed.addresses.push(address("enX0", "10.0.0.100/24", "enX0"));
    observed.rules.push(rule(32_765, "10.0.0.0/24", Some(200), false));
    let way = route(200, "0.0.0.0/0", Some("172.31.16.1"), "enX0", Some("10.0.0.100"));
    observed.routes.push(way);
    observed
}

/// What `apply` leaves behind.
fn applied() -> Observed {
    let mut observed = bare();
    let Wanted { address, rule, route } = wanted();
    observed.addresses.push(address);
    observed.rules.push(Rule { priority: 32_765, ..rule });
    observed.routes.push(route);
    observed
}

fn shown(changes: &[Change]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}

/// The one problem that is found, and its hint.
#[track_caller]
fn refusal(observed: &Observed) -> String {
    let problems = plan(&wanted(), observed).unwrap_err();
    let [problem] = &problems[..] else { panic!("{problems:#?}") };
    format!("{}\n{}", problem.what, problem.hint.as_deref().unwrap_or_default())
}

#[test]
fn a_bare_machine_gets_the_missions_three_things() {
    let changes = plan(&wanted(), &bare()).unwrap();
    assert_eq!(
        shown(&changes),
        [
            "+ address 10.0.0.100/24 on enX0",
            "+ rule to 10.0.0.0/24 lookup 200",
            "+ route default via 172.31.16.1 dev enX0 src 10.0.0.100 table 200",
        ]
    );
}

#[test]
fn what_is_there_already_stays_whoever_made_it() {
    assert_eq!(plan(&wanted(), &applied()), Ok(vec![]));
    assert_eq!(plan(&wanted(), &by_hand()), Ok(vec![]));
    // `ip rule add` once more made a second one, which is no harm.
    let mut twice = by_hand();
    twice.rules.push(rule(32_764, "10.0.0.0/24", Some(200), false));
    assert_eq!(plan(&wanted(), &twice), Ok(vec![]));
}

#[test]
fn of_what_is_missing_only_that_is_added() {
    let mut observed = by_hand();
    observed.rules.clear();
    let changes = plan(&wanted(), &observed).unwrap();
    assert_eq!(shown(&changes), ["+ rule to 10.0.0.0/24 lookup 200"]);
}

#[test]
fn a_route_of_ours_through_an_older_router_is_replaced_at_once() {
    let mut observed = applied();
    observed.routes[2].gateway = Some("172.31.32.1".parse().unwrap());
    assert_eq!(
        shown(&plan(&wanted(), &observed).unwrap()),
        ["- route default via 172.31.32.1 dev enX0 src 10.0.0.100 table 200\n\
          + route default via 172.31.16.1 dev enX0 src 10.0.0.100 table 200"]
    );
    // Another's is not ours to change.
    observed.routes[2].ours = false;
    assert!(refusal(&observed).starts_with("table 200 is in use: route default via 172.31.32.1 "));
}

#[test]
fn the_default_route_with_the_lowest_metric_counts() {
    let mut observed = bare();
    let second = route(254, "0.0.0.0/0", Some("192.168.1.1"), "eth1", None);
    observed.routes.push(Route { metric: 100, ..second.clone() });
    // Not in the main table, so it is no default route of the machine.
    observed.routes.push(Route { table: 10_002, ..second });
    let found = way(&observed, None).unwrap();
    assert_eq!((found.interface.as_str(), found.among), ("eth1", 2));
    let named = way(&observed, Some("enX0")).unwrap();
    assert_eq!((named.gateway, named.among), (Ipv4Addr::new(172, 31, 16, 1), 1));
}

#[test]
fn without_a_default_route_through_a_router_nothing_is_guessed() {
    let none = way(&Observed::default(), None).unwrap_err();
    assert!(none.what.starts_with("there is no IPv4 default route, "), "{none:?}");
    let elsewhere = way(&bare(), Some("eth7")).unwrap_err();
    assert!(elsewhere.what.contains("default route on eth7"), "{elsewhere:?}");
    let tunnel = route(254, "0.0.0.0/0", None, "tun0", None);
    let observed = Observed { routes: vec![tunnel], ..Observed::default() };
    let tunnel = way(&observed, None).unwrap_err();
    assert!(tunnel.what.contains("dev tun0"), "{tunnel:?}");
}

#[test]
fn an_address_with_another_prefix_or_on_another_interface_is_in_the_way() {
    for (other, said, undo) in [
        (
            address("enX0", "10.0.0.100/32", "enX0"),
            "another prefix than /24",
            "ip address del 10.0.0.100/32 dev enX0",
        ),
        (
            address("eth1", "10.0.0.100/24", "eth1"),
            "eth1 has 10.0.0.100/24 already, and not enX0",
            "ip address del",
        ),
        (
            address("enX0", "10.0.0.100/16", "enX0:rehome"),
            "another prefix",
            "remove --address 10.0.0.100/16",
        ),
    ] {
        let mut observed = bare();
        observed.addresses.push(other);
        let refusal = refusal(&observed);
        assert!(refusal.contains(said) && refusal.contains(undo), "{refusal}");
    }
}

#[test]
fn an_address_of_the_subnet_itself_is_no_overlay_address() {
    let mut observed = bare();
    observed.addresses[1] = address("enX0", "10.0.0.7/20", "enX0");
    observed.routes[0].gateway = Some("10.0.0.1".parse().unwrap());
    let wanted = Wanted::new(overlay(), 200, &way(&observed, None).unwrap());
    let problems = plan(&wanted, &observed).unwrap_err();
    assert_eq!(
        problems[0].what,
        "10.0.0.0/24 is no overlay block on this machine: enX0 has 10.0.0.7/20 in 10.0.0.0/20"
    );
    // The same with the subnet's own prefix, where the block is the router's too.
    observed.addresses[1] = address("enX0", "10.0.0.7/24", "enX0");
    assert!(plan(&wanted, &observed).is_err());
}

#[test]
fn another_interfaces_network_is_no_overlay_block_but_a_second_overlay_address_is_no_harm() {
    let mut observed = bare();
    observed.addresses.push(address("docker0", "10.0.0.1/16", "docker0"));
    assert!(refusal(&observed).contains("docker0 has 10.0.0.1/16"));
    observed.addresses[2] = address("enX0", "10.0.0.101/24", "enX0");
    assert!(plan(&wanted(), &observed).is_ok());
}

#[test]
fn a_rule_to_the_same_block_with_another_table_is_in_the_way() {
    let mut observed = bare();
    observed.rules.push(rule(100, "10.0.0.0/24", Some(300), false));
    let said = refusal(&observed);
    assert!(said.contains("rule to 10.0.0.0/24 lookup 300 (priority 100)"), "{said}");
    observed.rules[0] = rule(100, "10.0.0.0/24", None, false);
    assert!(refusal(&observed).contains("ip rule del priority 100"));
    observed.rules[0] = rule(100, "10.0.0.0/24", Some(300), true);
    assert!(refusal(&observed).contains("`rehome monitor-net remove`"));
}

#[test]
fn a_wider_rule_is_in_the_way_only_where_it_comes_first() {
    let mut observed = bare();
    observed.rules.push(rule(100, "10.0.0.0/8", Some(300), false));
    // The kernel will put the new one before it.
    assert!(plan(&wanted(), &observed).is_ok());
    observed.rules.push(rule(99, "10.0.0.0/24", Some(200), true));
    assert!(plan(&wanted(), &observed).is_ok());
    observed.rules[1].priority = 32_765;
    assert!(refusal(&observed).contains("rule to 10.0.0.0/8 lookup 300"));
}

#[test]
fn a_table_that_others_use_is_left_to_them() {
    let mut observed = bare();
    observed.routes.push(route(200, "192.168.0.0/16", Some("172.31.16.7"), "enX0", None));
    let said = refusal(&observed);
    assert!(
        said.starts_with("table 200 is in use: route 192.168.0.0/16 via 172.31.16.7"),
        "{said}"
    );
    assert!(said.contains("--table"), "{said}");
    // Ours, for another address of ours.
    let mut other = wanted().route;
    other.source = Some("10.0.0.101".parse().unwrap());
    *observed.routes.last_mut().unwrap() = other;
    assert!(refusal(&observed).contains("`rehome monitor-net remove` with 10.0.0.101"));
}

#[test]
fn every_obstacle_is_named_at_once() {
    let mut observed = bare();
    observed.addresses.push(address("eth1", "10.0.0.100/24", "eth1"));
    observed.rules.push(rule(100, "10.0.0.0/24", Some(300), false));
    observed.routes.push(route(200, "10.9.0.0/16", None, "enX0", None));
    assert_eq!(plan(&wanted(), &observed).unwrap_err().len(), 3);
}

#[test]
fn packets_that_take_another_way_are_told() {
    let neighbor = neighbor(overlay(), &applied());
    assert_eq!(neighbor, Ipv4Addr::new(10, 0, 0, 1));
    let mut found = route(200, "10.0.0.1/32", Some("172.31.16.1"), "enX0", Some("10.0.0.100"));
    assert_eq!(astray(&wanted(), neighbor, &found), None);
    found.interface = Some("wg0".to_owned());
    found.table = 51_820;
    let said = astray(&wanted(), neighbor, &found).unwrap();
    assert!(said.contains("dev wg0") && said.contains("table 51820"), "{said}");
}

#[test]
fn the_neighbor_is_no_address_of_the_machines_own() {
    let mut observed = bare();
    observed.addresses.push(address("enX0", "10.0.0.1/24", "enX0"));
    assert_eq!(neighbor(overlay(), &observed), Ipv4Addr::new(10, 0, 0, 2));
    let smallest: Overlay = "10.0.0.1/30".parse().unwrap();
    assert_eq!(neighbor(smallest, &observed), Ipv4Addr::new(10, 0, 0, 2));
}

#[test]
fn undoing_takes_what_is_marked_and_names_the_rest() {
    let (changes, left) = undo(overlay(), &applied());
    assert_eq!(
        shown(&changes),
        [
            "- rule to 10.0.0.0/24 lookup 200",
            "- route default via 172.31.16.1 dev enX0 src 10.0.0.100 table 200",
            "- address 10.0.0.100/24 on enX0",
        ]
    );
    assert_eq!(left, Vec::<String>::new());
    let (changes, left) = undo(overlay(), &by_hand());
    assert_eq!((changes.len(), left.len()), (0, 3), "{changes:?} {left:?}");
    assert_eq!(undo(overlay(), &bare()), (vec![], vec![]));
}

#[test]
fn undoing_another_address_takes_nothing_of_this_one() {
    for other in ["10.0.0.101/24", "10.0.0.100/16", "10.1.0.100/24"] {
        let (changes, _) = undo(other.parse().unwrap(), &applied());
        assert_eq!(changes, vec![], "{other}");
    }
    // What is left of a half undone one is its own.
    let mut half = applied();
    half.routes.clear();
    assert_eq!(undo(overlay(), &half).0.len(), 2);
}

#[test]
fn a_mark_fits_every_name_that_leaves_room_and_the_route_tells_for_the_others() {
    assert_eq!(label("enX0").as_deref(), Some("enX0:rehome"));
    assert_eq!(label("enp126s0f0").as_deref(), Some("enp126s0f0:reho"));
    assert_eq!(label("abcdefghijklm").as_deref(), Some("abcdefghijklm:r"));
    assert_eq!(label("abcdefghijklmn"), None);

    let long = "abcdefghijklmno";
    let way = Way { interface: long.to_owned(), gateway: Ipv4Addr::new(172, 31, 16, 1), among: 1 };
    let Wanted { address, route, .. } = Wanted::new(overlay(), 200, &way);
    assert_eq!(address.label, long);
    let mut observed =
        Observed { addresses: vec![address], routes: vec![route], ..Observed::default() };
    assert_eq!(undo(overlay(), &observed).0.len(), 2);
    observed.routes[0].ours = false;
    assert_eq!(
        undo(overlay(), &observed),
        (
            vec![],
            vec![
                "route default via 172.31.16.1 dev abcdefghijklmno src 10.0.0.100 table 200"
                    .to_owned(),
                "address 10.0.0.100/24 on abcdefghijklmno".to_owned(),
            ]
        )
    );
}

#[test]
fn nonsense_is_refused_with_what_is_accepted() {
    for (text, said) in [
        ("10.0.0.100", "has no prefix"),
        ("10.0.0.100/32", "no prefix of 8 to 30"),
        ("10.0.0.100/0", "no prefix of 8 to 30"),
        ("10.0.0.100/+24", "no prefix of 8 to 30"),
        ("10.0.0/24", "is no IPv4 address"),
        ("fd00::1/64", "is no IPv4 address"),
        ("10.0.0.0/24", "first or last address"),
        ("10.0.0.255/24", "first or last address"),
        ("127.0.0.5/24", "can't be routed"),
    ] {
        let error = text.parse::<Overlay>().unwrap_err();
        assert!(error.contains(said) && error.contains("like 10.0.0.100/24"), "{error}");
    }
    assert_eq!(table("200"), Ok(200));
    assert_eq!(table("70000"), Ok(70_000));
    for text in ["0", "254", "255", "253", "secondary", "-1", "4294967296"] {
        assert!(table(text).is_err(), "{text}");
    }
}
