use super::kernel::parse;
use super::*;

fn port(number: u8, checked: bool) -> Port {
    Port {
        device: format!("p{number}"),
        eni: format!("eni-{number}"),
        address: Ipv4Addr::new(172, 31, 16 * number, 10),
        checked,
        table: "rtb-1".into(),
    }
}

fn table(routes: &[(&str, Target)]) -> Table {
    let read = |(to, target): &(&str, Target)| (to.parse().expect("a network"), target.clone());
    Table { id: "rtb-1".into(), routes: routes.iter().map(read).collect() }
}

fn state(ports: &[Port], tables: &[Table]) -> State {
    let mut numbers = Numbers::default();
    numbers.assign(tables);
    wanted(ports, tables, &numbers)
}

fn to_eni(number: u8) -> Target {
    Target::Interface(format!("eni-{number}"))
}

/// Runs lines of `ip -batch` on a state, as the kernel would.
fn apply(mut state: State, lines: &[String]) -> State {
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let after = |word: &str| {
            let at = words.iter().position(|w| *w == word).expect("the word is in the line");
            words[at + 1].to_owned()
        };
        let number = |word: &str| after(word).parse::<u32>().expect("a number");
        match &words[..2] {
            ["rule", verb] => {
                let device = after("iif");
                let rule = match number("pref") {
                    PREFERENCE_OPEN => Rule::Open { device, table: number("lookup") },
                    PREFERENCE_CHECKED => {
                        let source = after("from").parse().expect("an address");
                        Rule::Checked { device, source, table: number("lookup") }
                    }
                    _silence => Rule::Silence { device },
                };
                let new = if *verb == "add" {
                    state.rules.insert(rule)
                } else {
                    state.rules.remove(&rule)
                };
                assert!(new, "{line} changes nothing");
            }
            ["route", "del"] => {
                let to = words[2].parse().expect("a network");
                assert!(state.routes.remove(&(number("table"), to)).is_some(), "{line}");
            }
            _replace if words[2] == "blackhole" => {
                let to = words[3].parse().expect("a network");
                state.routes.insert((number("table"), to), Hop::Blackhole);
            }
            _replace => {
                let to = words[2].parse().expect("a network");
                let hop = if words.contains(&"via") {
                    Hop::Via(after("via").parse().expect("an address"), after("dev"))
                } else {
                    Hop::Direct(after("dev"))
                };
                state.routes.insert((number("table"), to), hop);
            }
        }
    }
    state
}

#[test]
fn an_overlay_route_leads_through_its_interface() {
    let overlay: Cidr = "10.0.0.10/32".parse().expect("a network");
    let hop = |ports: &[Port]| {
        state(ports, &[table(&[("10.0.0.10/32", to_eni(3))])]).routes[&(1000, overlay)].clone()
    };
    assert_eq!(hop(&[port(3, false)]), Hop::Via(Ipv4Addr::new(172, 31, 48, 10), "p3".into()));
    assert_eq!(hop(&[port(3, true)]), Hop::Blackhole, "the source/dest check is on");
    assert_eq!(hop(&[port(2, false)]), Hop::Blackhole, "the machine is off");
}

#[test]
fn a_port_with_the_check_sends_from_its_own_address_only() {
    let rules = |checked| state(&[port(1, checked)], &[table(&[])]).rules;
    let lines = |checked| rules(checked).iter().map(Rule::to_string).collect::<Vec<_>>();
    assert_eq!(lines(false), ["pref 99 iif p1 lookup 1000", "pref 101 iif p1 blackhole"]);
    assert_eq!(
        lines(true),
        ["pref 100 from 172.31.16.10 iif p1 lookup 1000", "pref 101 iif p1 blackhole"]
    );
}

#[test]
fn the_internet_and_foreign_networks_are_black_holes() {
    let want = state(
        &[port(1, false)],
        &[table(&[("172.31.0.0/16", Target::Local), ("0.0.0.0/0", Target::Nowhere)])],
    );
    let everything = "0.0.0.0/0".parse().expect("a network");
    assert_eq!(want.routes[&(1000, everything)], Hop::Blackhole);
    let own = "172.31.16.10/32".parse().expect("a network");
    assert_eq!(want.routes[&(1000, own)], Hop::Direct("p1".into()));
    assert_eq!(want.routes.len(), 2);
}

#[test]
fn the_changes_lead_from_any_state_to_any_other() {
    let states = [
        State::default(),
        state(&[port(1, false)], &[table(&[])]),
        state(&[port(1, true), port(3, false)], &[table(&[("10.0.0.10/32", to_eni(3))])]),
        state(&[port(1, false), port(3, true)], &[table(&[("10.0.0.10/32", to_eni(3))])]),
        state(
            &[port(1, false), port(2, false)],
            &[table(&[("10.0.0.10/32", to_eni(2)), ("10.0.0.0/24", Target::Nowhere)])],
        ),
    ];
    for have in &states {
        assert_eq!(changes(have, have), Vec::<String>::new());
        for want in &states {
            assert_eq!(apply(have.clone(), &changes(have, want)), *want);
        }
    }
}

#[test]
fn a_moved_route_is_replaced_and_never_missing() {
    let ports = [port(2, false), port(3, false)];
    let before = state(&ports, &[table(&[("10.0.0.10/32", to_eni(3))])]);
    let after = state(&ports, &[table(&[("10.0.0.10/32", to_eni(2))])]);
    assert_eq!(
        changes(&before, &after),
        ["route replace 10.0.0.10/32 via 172.31.32.10 dev p2 onlink table 1000"]
    );
}

#[test]
fn a_new_port_is_silent_until_its_routes_stand() {
    let want = state(&[port(1, false)], &[table(&[("0.0.0.0/0", Target::Nowhere)])]);
    assert_eq!(
        changes(&State::default(), &want),
        [
            "rule add pref 101 iif p1 blackhole",
            "route replace blackhole 0.0.0.0/0 table 1000",
            "route replace 172.31.16.10/32 dev p1 table 1000",
            "rule add pref 99 iif p1 lookup 1000",
        ]
    );
    assert_eq!(
        changes(&want, &State::default())[..2],
        ["rule del pref 99 iif p1 lookup 1000", "rule del pref 101 iif p1 blackhole",]
    );
}

#[test]
fn a_table_keeps_its_number_while_it_exists() {
    let named = |id: &str| Table { id: id.into(), routes: Vec::new() };
    let mut numbers = Numbers::default();
    numbers.assign(&[named("rtb-a"), named("rtb-b")]);
    numbers.assign(&[named("rtb-b"), named("rtb-c")]);
    assert_eq!(numbers.0["rtb-b"], 1001);
    assert_eq!(numbers.0["rtb-c"], 1000);
    assert_eq!(numbers.0.len(), 2);
}

#[test]
fn the_kernels_own_listing_reads_back() {
    let listing = br#"[{"priority":0,"src":"all","table":"local"},
        {"priority":99,"src":"all","iif":"p1","table":"1000"},
        {"priority":100,"src":"172.31.48.10","iif":"p3","iif_detached":null,"table":"1000"},
        {"priority":101,"src":"all","iif":"p1","action":"blackhole"},
        {"priority":32766,"src":"all","table":"main"}]
        [{"type":"blackhole","dst":"default","table":"1000","flags":[]},
        {"dst":"10.0.0.10","gateway":"172.31.48.10","dev":"p3","table":"1000","flags":["onlink"]},
        {"dst":"172.31.48.10","dev":"p3","table":"1000","scope":"link","flags":[]},
        {"dst":"172.31.48.10","dev":"p3","scope":"link","flags":[]},
        {"type":"local","dst":"127.0.0.0/8","dev":"lo","table":"local","flags":[]}]"#;
    let read = parse(listing).expect("two lists");
    assert_eq!(
        read.rules.iter().map(Rule::to_string).collect::<Vec<_>>(),
        [
            "pref 99 iif p1 lookup 1000",
            "pref 100 from 172.31.48.10 iif p3 lookup 1000",
            "pref 101 iif p1 blackhole",
        ]
    );
    let to = |text: &str| (1000, text.parse::<Cidr>().expect("a network"));
    assert_eq!(
        read.routes,
        BTreeMap::from([
            (to("0.0.0.0/0"), Hop::Blackhole),
            (to("10.0.0.10/32"), Hop::Via(Ipv4Addr::new(172, 31, 48, 10), "p3".into())),
            (to("172.31.48.10/32"), Hop::Direct("p3".into())),
        ])
    );
    parse(b"[]").expect_err("one list is missing");
}
