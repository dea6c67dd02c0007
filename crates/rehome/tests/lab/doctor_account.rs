//! What `rehome doctor` finds when the account, the holder or the monitor itself is broken: each
//! thing on purpose, once, in a lab.
//!
//! What is broken by an outsider's hand is broken by `rehome lab arrange`; the rest as a person
//! would, by the API or on the machine.

use crate::doctor::{Examined, LEFT_OUT, between, doctor};
use crate::harness::{Lab, TEMPLATE};

impl Lab {
    /// A lab at the instant pace in which nothing is throttled: each `doctor` tries three launches.
    #[track_caller]
    pub(crate) fn unthrottled(flags: &[&str]) -> Lab {
        let lab = Lab::up_with(&[&["--pace", "instant"], flags].concat());
        lab.arrange(&["unthrottled"]);
        lab
    }

    /// Arranges something; what it printed.
    #[track_caller]
    pub(crate) fn arrange(&self, words: &[&str]) -> String {
        self.ok(&[&["arrange"], words].concat()).trim_end().to_owned()
    }

    /// Undoes it.
    #[track_caller]
    pub(crate) fn undo(&self, words: &[&str]) {
        self.ok(&[&["arrange", "--undo"], words].concat());
    }

    /// The subnet of a zone.
    #[track_caller]
    pub(crate) fn subnet_in(&self, zone: &str) -> String {
        let mut subnets = self.first.subnets.iter();
        subnets.find(|subnet| subnet.az == zone).expect("it has a subnet").id.clone()
    }

    /// The lab's image.
    #[track_caller]
    pub(crate) fn image(&self) -> String {
        let images = self.api("DescribeImages", &[]);
        between(&images, "<imageId>", "</imageId>").to_owned()
    }

    /// The lab without anything broken has no findings.
    #[track_caller]
    pub(crate) fn is_mended(&self) {
        doctor(self, &[], &[]).only(0, &[]);
    }

    /// Launches an instance; its id and its primary interface.
    #[track_caller]
    pub(crate) fn launch_with(&self, more: &[(&str, &str)]) -> (String, String) {
        let image = self.image();
        let mut launch = vec![("ImageId", image.as_str()), ("MinCount", "1"), ("MaxCount", "1")];
        launch.extend(more);
        let made = self.api("RunInstances", &launch);
        (
            between(&made, "<instanceId>", "</instanceId>").to_owned(),
            between(&made, "<networkInterfaceId>", "</networkInterfaceId>").to_owned(),
        )
    }
}

/// `doctor` as it is meant here.
#[track_caller]
fn plain(lab: &Lab) -> Examined {
    doctor(lab, &[], &[])
}

#[test]
fn a_clock_that_is_off_is_found_and_too_far_off_nothing_else_can_be_read() {
    let lab = Lab::unthrottled(&[]);
    lab.arrange(&["clock", "45"]);
    let found = plain(&lab);
    found.has("clock", "warning", " s behind AWS's", "chronyc makestep").only(3, &["clock"]);
    for (ahead, which) in [("-400", "ahead of"), ("400", "behind"), ("1000", "behind")] {
        lab.arrange(&["clock", ahead]);
        let found = plain(&lab);
        let said = format!(" s {which} AWS's, and AWS refuses requests 300 s off");
        found.has("clock", "failure", &said, "chronyc makestep");
        found.has("credentials", "failure", "SignatureDoesNotMatch", "check the clock");
        let code = if ahead == "1000" { "RequestExpired" } else { "AuthFailure" };
        found.has("holder", "unknown", code, "");
        assert_eq!(found.code, Some(4), "{:#?}", found.troubles());
    }
    lab.undo(&["clock", "0"]);
    lab.is_mended();
}

#[test]
fn what_a_launch_needs_and_is_gone_or_full_is_found() {
    let lab = Lab::unthrottled(&[]);
    let named_key = [("--keypair", LEFT_OUT)];
    let key = ["key-gone", "my-keypair"];
    lab.arrange(&key);
    let found = doctor(&lab, &named_key, &[]);
    let said = "the holder's key pair my-keypair no longer exists";
    found.has("key-pair", "failure", said, "--keypair");
    found.has("launch", "failure", "InvalidKeyPair.NotFound", "").only(4, &["key-pair", "launch"]);
    lab.undo(&key);
    doctor(&lab, &named_key, &[]).only(0, &[]);

    let image = lab.image();
    lab.arrange(&["image-gone", &image]);
    let found = plain(&lab);
    let said = format!("{image} does not exist or is not available");
    found.has("image", "failure", &said, "--image");
    found.has("replaceable", "failure", &format!("{image} no longer exists"), "--image");
    found.has("launch", "failure", "InvalidAMIID.NotFound", "");
    found.only(4, &["image", "replaceable", "launch"]);
    lab.undo(&["image-gone", &image]);

    let types = ["us-east-1b", "us-east-1c"].map(|zone| ["type-gone", "t3.micro", zone]);
    lab.arrange(&types[0]);
    let found = plain(&lab);
    let said = "offered in us-east-1c, us-east-1a, but not in us-east-1b";
    found.has("instance-type", "warning", said, "--instance-type").only(3, &["instance-type"]);
    lab.arrange(&types[1]);
    let found = plain(&lab);
    found.has("instance-type", "failure", "no other zone offers t3.micro", "--instance-type");
    found.only(4, &["instance-type"]);
    for gone in &types {
        lab.undo(gone);
    }

    let (near, far) = (lab.subnet_in("us-east-1b"), lab.subnet_in("us-east-1c"));
    lab.arrange(&["free-addresses", &near, "2"]);
    let found = plain(&lab);
    found.has("subnets", "warning", &format!("{near} has 2 free addresses"), "--subnet");
    found.only(3, &["subnets"]);
    lab.arrange(&["free-addresses", &near, "0"]);
    let found = plain(&lab);
    let said = "us-east-1b can't take a replacement: no subnet with free IPv4 addresses";
    found.has("subnets", "warning", said, "--subnet").only(3, &["subnets"]);
    lab.arrange(&["free-addresses", &far, "0"]);
    let found = plain(&lab);
    let said = "no subnet in another Availability Zone can take a replacement";
    found.has("subnets", "failure", said, "--subnet");
    found.only(4, &["subnets", "instance-type", "launch"]);
    for subnet in [&near, &far] {
        lab.undo(&["free-addresses", subnet, "0"]);
    }
    lab.is_mended();
}

#[test]
fn groups_of_another_vpc_refused_launches_and_unusable_templates_are_found() {
    let lab = Lab::unthrottled(&[]);
    let vpc = lab.arrange(&["vpc", "172.30.0.0/16"]);
    let filter = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", &*vpc)];
    let groups = lab.api("DescribeSecurityGroups", &filter);
    let group = between(&groups, "<groupId>", "</groupId>");
    let found = doctor(&lab, &[("--security-group", group)], &[]);
    let said = format!("belongs to {vpc}");
    found.has("security-group", "failure", &said, "a security group of the holder's VPC");
    found.only(4, &["security-group", "launch", "ingress"]);

    for (code, verdict) in [("InvalidAMIID.NotFound", "failure"), ("InternalError", "unknown")] {
        lab.fault(&["--action", "RunInstances", "--error", code]);
        let exit = if verdict == "failure" { 4 } else { 5 };
        plain(&lab).has("launch", verdict, code, "").only(exit, &["launch"]);
        lab.clear_faults();
    }

    let long = format!("#!/bin/sh\n{}\n", "# sixteen bytes..\n".repeat(1_000));
    let windows = TEMPLATE.replace('\n', "\r\n");
    for (name, text, evidence) in [
        ("syntax", "#!/bin/sh\n{% if %}\n", "syntax"),
        ("windows", &windows, "CR LF"),
        ("long", &long, "more than 16384 bytes"),
        ("blank", "\n#!/bin/sh\necho\n", "cloud-init would ignore"),
    ] {
        let path = format!("/var/tmp/{name}.sh");
        lab.put("monitor", &path, text);
        let found = doctor(&lab, &[("--user-data-file", &path)], &[]);
        found.has("user-data", "failure", evidence, "").only(4, &["user-data", "launch"]);
    }
    lab.is_mended();
}

#[test]
fn what_a_replacement_would_not_carry_is_found() {
    let lab = Lab::unthrottled(&[]);
    let holder = lab.holder.id.clone();
    let scaled = ["service-tag", &holder, "aws:autoscaling:groupName", "web"];
    let rows: [(&[&str], &str, &str); 3] = [
        (&["elastic-ip", "vip-a"], "the Elastic IP 203.0.113.1", "--accept-loss elastic-ip"),
        (&["managed", "vip-a"], "is managed by", "only that service"),
        (&scaled, "belongs to the Auto Scaling group web", "detach"),
    ];
    for (what, evidence, fix) in rows {
        lab.arrange(what);
        plain(&lab).has("replaceable", "failure", evidence, fix).only(4, &["replaceable"]);
        if what[0] == "elastic-ip" {
            let accepted = doctor(&lab, &[], &["--accept-loss", "elastic-ip"]);
            accepted.has("replaceable", "warning", evidence, "").only(3, &["replaceable"]);
        }
        lab.undo(what);
    }
    lab.is_mended();

    // What only a launch decides: a holder that has all of it.
    let (subnet, group) = (lab.subnet_in("us-east-1a"), lab.holder.security_groups[0].clone());
    let (id, interface) = lab.launch_with(&[
        ("InstanceType", "m5d.large"),
        ("Placement.HostId", "h-0123456789abcdef0"),
        ("InstanceMarketOptions.MarketType", "spot"),
        ("InstanceMarketOptions.SpotOptions.SpotInstanceType", "persistent"),
        ("BlockDeviceMapping.1.DeviceName", "/dev/sdf"),
        ("BlockDeviceMapping.1.Ebs.VolumeSize", "10"),
        ("NetworkInterface.1.DeviceIndex", "0"),
        ("NetworkInterface.1.SubnetId", &subnet),
        ("NetworkInterface.1.SecurityGroupId.1", &group),
        ("NetworkInterface.2.DeviceIndex", "1"),
        ("NetworkInterface.2.SubnetId", &subnet),
        ("NetworkInterface.2.SecurityGroupId.1", &group),
    ]);
    lab.replace_route(&lab.table(), &interface);
    let found = doctor(&lab, &[("--instance-id", &id)], &[]);
    for (evidence, loss) in [
        ("has 2 interfaces", "interfaces"),
        ("has the volumes /dev/sdf", "volumes"),
        ("has disks in an instance store", "instance-store"),
        ("has the Dedicated Host h-0123456789abcdef0", "placement"),
        ("has the persistent spot request sir-", "spot"),
    ] {
        let fix = format!("--accept-loss {loss}");
        found.has("replaceable", "failure", evidence, &fix);
    }
    assert_eq!(found.code, Some(4));
}

#[test]
fn a_holder_that_is_still_pending_is_found() {
    // Sixteen seconds of `pending`, where the other paces have one and a half or none.
    let lab = Lab::up("real");
    let (subnet, group) = (lab.subnet_in("us-east-1a"), lab.holder.security_groups[0].clone());
    let (id, interface) = lab.launch_with(&[
        ("InstanceType", "t3.micro"),
        ("SubnetId", &subnet),
        ("SecurityGroupId.1", &group),
    ]);
    lab.replace_route(&lab.table(), &interface);
    let found = doctor(&lab, &[("--instance-id", &id)], &[]);
    let fix = format!("aws ec2 wait instance-running --instance-ids {id}");
    found.has("holder", "warning", "is pending", &fix);
}

#[test]
fn a_machine_whose_way_addresses_or_state_are_wrong_is_found() {
    let lab = Lab::unthrottled(&[]);
    let fix = "rehome monitor-net apply --address 10.0.0.100/24";
    lab.script("monitor", "ip address add 10.0.0.10/32 dev enX0");
    let found = plain(&lab);
    let said = "10.0.0.10 is an address of this very machine";
    found.has("monitor-address", "failure", said, "take the address away");
    lab.script("monitor", "ip address del 10.0.0.10/32 dev enX0");
    lab.is_mended();

    lab.script("monitor", "ip route replace default via 172.31.16.1 dev enX0 table 200");
    let found = plain(&lab);
    let said = "sends to 10.0.0.10 from 172.31.16.10: the rule or the route for 10.0.0.0/24";
    found.has("monitor-address", "warning", said, fix).only(3, &["monitor-address"]);
    lab.script("monitor", "ip address del 10.0.0.100/24 dev enX0; ip route flush table 200");
    lab.script("monitor", "ip route add unreachable 10.0.0.0/24");
    let found = plain(&lab);
    found.has("monitor-address", "failure", "has no route to 10.0.0.10", "default route");
    lab.script("monitor", "ip route del unreachable 10.0.0.0/24; /etc/rc.local start");
    lab.is_mended();

    let state = "/var/tmp/state";
    let kept = ["--state-dir", state];
    lab.script("monitor", "mkdir -m 700 /var/tmp/state; echo '{' > /var/tmp/state/10.0.0.10.json");
    let found = doctor(&lab, &[], &kept);
    found.has("state-file", "failure", "/var/tmp/state/10.0.0.10.json is damaged", "");
    found.only(4, &["state-file"]);
    lab.script("monitor", "rm /var/tmp/state/10.0.0.10.json; chmod 777 /var/tmp/state");
    let found = doctor(&lab, &[], &kept);
    let said = "/var/tmp/state can be written by others (mode 777)";
    found.has("state-directory", "failure", said, "").only(4, &["state-directory"]);
    lab.script("monitor", "chmod 700 /var/tmp/state; touch /var/tmp/tell");
    doctor(&lab, &[], &kept).only(0, &[]);
    for (hook, said) in [("/var/tmp/tell", "is not an executable file"), ("/bin/sh", "is a shell")]
    {
        let found = doctor(&lab, &[], &["--notify-exec", hook]);
        found.has("notify-exec", "failure", said, "").only(4, &["notify-exec"]);
    }
}

#[test]
fn credentials_that_aws_refuses_and_readings_without_an_answer_are_found() {
    let lab = Lab::unthrottled(&[]);
    for code in ["ExpiredToken", "InvalidClientTokenId"] {
        lab.fault(&["--action", "GetCallerIdentity", "--error", code]);
        let found = plain(&lab);
        found.has("credentials", "failure", code, "aws sts get-caller-identity");
        found.only(4, &["credentials"]);
        lab.clear_faults();
    }
    lab.fault(&["--action", "DescribeKeyPairs", "--lost"]);
    let found = plain(&lab);
    found.has("read-permissions", "unknown", "ec2:DescribeKeyPairs: no answer", "");
    found.has("key-pair", "unknown", "DescribeKeyPairs got no answer", "");
    found.only(5, &["read-permissions", "key-pair"]);
    lab.clear_faults();
    lab.is_mended();
}
