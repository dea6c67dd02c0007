use super::*;

fn block(text: &str) -> Cidr {
    text.parse().expect("a network")
}

fn admission(traffic: Traffic, peers: &[&str]) -> Admission {
    Admission { traffic, peers: peers.iter().map(|text| block(text)).collect() }
}

fn guard(number: u16, subnet: &str, ingress: &[Admission]) -> Guard {
    Guard {
        device: format!("p{number}"),
        number,
        subnet: subnet.into(),
        admits: Admits { ingress: ingress.to_vec(), egress: Vec::new() },
        cut: false,
        loss: Loss::default(),
    }
}

/// The lines of a chain, without those of its hook.
fn chain(text: &str, name: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    let inside = lines.skip_while(|line| *line != format!("chain {name} {{")).skip(1);
    let rules = inside.take_while(|line| *line != "}");
    rules.filter(|line| !line.starts_with("type filter hook")).map(str::to_owned).collect()
}

#[test]
fn an_interface_admits_by_source_and_sends_by_destination() {
    let rules = [
        admission(Traffic::Any, &["172.31.16.10/32", "172.31.48.10/32"]),
        admission(Traffic::Icmp(Some(8), None), &["10.0.0.0/24"]),
        admission(Traffic::Tcp(22, 22), &["0.0.0.0/0"]),
        admission(Traffic::Udp(0, 65_535), &["10.0.0.0/24"]),
        admission(Traffic::Any, &[]),
    ];
    let mut port = guard(3, "subnet-a", &rules);
    port.admits.egress = vec![admission(Traffic::Protocol(50), &["10.0.0.10/32"])];
    let text = filter(&[port], &BTreeMap::new());
    // Behind what is known already.
    assert_eq!(
        chain(&text, "to_p3")[2..],
        [
            "ip saddr { 172.31.16.10/32, 172.31.48.10/32 } goto to_p3_noted",
            "ip saddr { 10.0.0.0/24 } icmp type 8 goto to_p3_noted",
            "tcp dport 22 goto to_p3_noted",
            "ip saddr { 10.0.0.0/24 } meta l4proto udp goto to_p3_noted",
            "drop",
        ],
        "a group without members admits nobody"
    );
    assert_eq!(
        chain(&text, "from_p3")[2..],
        ["ip daddr { 10.0.0.10/32 } meta l4proto 50 goto from_p3_noted", "drop"]
    );
}

#[test]
fn a_connection_is_known_to_the_two_ports_that_let_it_through_and_to_no_other() {
    let text = filter(&[guard(3, "subnet-a", &[])], &BTreeMap::new());
    let known = "ct state established,related ct direction";
    assert_eq!(
        chain(&text, "from_p3")[..2],
        [
            format!("{known} original ct mark and 0xffff0000 == 0x00030000 return"),
            format!("{known} reply ct mark and 0x0000ffff == 0x00000003 return"),
        ]
    );
    assert_eq!(
        chain(&text, "to_p3")[..2],
        [
            format!("{known} original ct mark and 0x0000ffff == 0x00000003 return"),
            format!("{known} reply ct mark and 0xffff0000 == 0x00030000 return"),
        ]
    );
    assert_eq!(
        chain(&text, "to_p3_noted"),
        [
            "ct direction original ct mark set ct mark and 0xffff0000 or 0x00000003",
            "ct direction reply ct mark set ct mark and 0x0000ffff or 0x00030000",
        ]
    );
}

#[test]
fn acls_are_met_between_subnets_only_and_in_their_order() {
    let rule = |allow, traffic, peer: &str| AclRule { allow, traffic, peer: block(peer) };
    let acl = PlaneAcl {
        inbound: vec![
            rule(false, Traffic::Icmp(None, None), "10.0.0.0/24"),
            rule(true, Traffic::Any, "0.0.0.0/0"),
            rule(false, Traffic::Any, "0.0.0.0/0"),
        ],
        outbound: vec![rule(false, Traffic::Any, "0.0.0.0/0")],
    };
    let acls =
        BTreeMap::from(["subnet-a", "subnet-b", "subnet-c"].map(|id| (id.to_owned(), acl.clone())));
    let guards = [guard(1, "subnet-a", &[]), guard(2, "subnet-c", &[]), guard(3, "subnet-a", &[])];
    let text = filter(&guards, &acls);
    assert_eq!(
        chain(&text, "enter_0"),
        ["ip saddr { 10.0.0.0/24 } meta l4proto icmp drop", "return", "drop", "drop"]
    );
    assert_eq!(chain(&text, "leave_2"), ["drop", "drop"]);
    assert!(chain(&text, "enter_1").is_empty(), "a subnet without machines needs no chain");
    assert_eq!(
        chain(&text, "between_ports"),
        [
            r#"iifname vmap { "p1" : jump from_p1, "p2" : jump from_p2, "p3" : jump from_p3 }"#,
            r#"iifname { "p1", "p3" } oifname != { "p1", "p3" } jump leave_0"#,
            r#"iifname { "p2" } oifname != { "p2" } jump leave_2"#,
            r#"oifname { "p1", "p3" } iifname != { "p1", "p3" } jump enter_0"#,
            r#"oifname { "p2" } iifname != { "p2" } jump enter_2"#,
            r#"oifname vmap { "p1" : jump to_p1, "p2" : jump to_p2, "p3" : jump to_p3 }"#,
            r#"iifname { "p1", "p2", "p3" } oifname { "p1", "p2", "p3" } accept"#,
        ]
    );
}

#[test]
fn a_cut_wire_carries_nothing_and_a_lossy_one_less() {
    let mut cut = guard(1, "subnet-a", &[]);
    cut.cut = true;
    let mut lossy = guard(7, "subnet-a", &[]);
    lossy.loss = Loss { from: 20, to: 0 };
    let mut deaf = guard(8, "subnet-a", &[]);
    deaf.loss = Loss { from: 0, to: 100 };
    let text = filter(&[cut, lossy, deaf], &BTreeMap::new());
    assert_eq!(
        chain(&text, "from_ports"),
        [r#"iifname "p1" drop"#, r#"iifname "p7" numgen random mod 100 < 20 drop"#]
    );
    assert_eq!(chain(&text, "to_ports"), [r#"oifname "p1" drop"#, r#"oifname "p8" drop"#]);
}

#[test]
fn without_instances_nothing_passes_but_what_is_asked_of_the_router() {
    let text = filter(&[], &BTreeMap::new());
    assert!(chain(&text, "between_ports").is_empty());
    assert!(text.contains("type filter hook forward priority filter; policy drop;"), "{text}");
    let asked = format!("ip daddr {{ {METADATA}, {API} }} tcp dport 80 accept");
    assert!(chain(&text, "to_router").contains(&asked));
}
