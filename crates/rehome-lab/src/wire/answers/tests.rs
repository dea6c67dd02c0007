use ec2_model::api::{
    AttributeValue, InstanceAttribute, InstanceState, InstanceStateChange, InstanceStatus,
    InstanceStatusEvent, Reservation, Route, RouteTable, RouteTableAssociation, StatusDetail,
    StatusSummary,
};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::super::fixtures::{self, LAUNCHED};
use super::*;

fn page<T>(items: Vec<T>) -> Page<T> {
    Page { items, next_token: None }
}

/// The document, which must be well formed, without its first line and with an element a line.
fn lines(action: &str, response: &Response) -> String {
    let text = document(action, "r-1", response);
    let mut reader = Reader::from_str(&text);
    while reader.read_event().expect("the document is well formed") != Event::Eof {}
    let (first, rest) = text.split_once('\n').unwrap();
    assert_eq!(first, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    rest.replace("><", ">\n<")
}

/// Compares with a golden text, whose indentation is for its readers only.
fn check(action: &str, response: &Response, golden: &str) {
    let golden: Vec<&str> = golden.lines().map(str::trim).collect();
    assert_eq!(lines(action, response), golden.join("\n").trim());
}

#[test]
fn instances_are_told_with_every_element_they_have() {
    let reservation = Reservation {
        reservation_id: "r-0".to_owned(),
        owner_id: "123456789012".to_owned(),
        groups: Vec::new(),
        instances: vec![fixtures::instance()],
    };
    let response = Response::DescribeInstances(Page {
        items: vec![reservation.clone()],
        next_token: Some("more".to_owned()),
    });
    check("DescribeInstances", &response, include_str!("describe_instances.golden.xml"));
    let launch = lines("RunInstances", &Response::RunInstances(reservation));
    assert!(launch.starts_with(
        "<RunInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\n\
         <requestId>r-1</requestId>\n<reservationId>r-0</reservationId>"
    ));
}

#[test]
fn a_terminated_instance_has_no_elements_for_what_it_lost() {
    let instance = ec2_model::api::Instance {
        state: InstanceState::Terminated,
        subnet_id: None,
        vpc_id: None,
        private_ip_address: None,
        source_dest_check: None,
        network_interfaces: Vec::new(),
        iam_instance_profile: None,
        ..fixtures::instance()
    };
    let text = lines(
        "DescribeInstances",
        &Response::DescribeInstances(page(vec![Reservation {
            instances: vec![instance],
            ..Reservation::default()
        }])),
    );
    for lost in ["subnetId", "vpcId", "privateIpAddress", "sourceDestCheck"] {
        assert!(!text.contains(&format!("<{lost}>")), "{lost}");
    }
    assert!(text.contains("<code>48</code>\n<name>terminated</name>"));
}

#[test]
fn status_checks_carry_their_details_and_events() {
    let summary = |status: &str, test: &str, since| StatusSummary {
        status: status.to_owned(),
        details: vec![StatusDetail {
            name: "reachability".to_owned(),
            status: test.to_owned(),
            impaired_since: since,
        }],
    };
    let status = InstanceStatus {
        instance_id: "i-1".to_owned(),
        availability_zone: "us-east-1a".to_owned(),
        availability_zone_id: "use1-az1".to_owned(),
        outpost_arn: None,
        events: vec![InstanceStatusEvent {
            instance_event_id: "instance-event-1".to_owned(),
            code: "instance-retirement".to_owned(),
            description: "The instance is running on degraded hardware".to_owned(),
            not_before: LAUNCHED,
            ..InstanceStatusEvent::default()
        }],
        state: InstanceState::Running,
        system_status: summary("impaired", "failed", Some(LAUNCHED)),
        instance_status: summary("ok", "passed", None),
        attached_ebs_status: summary("initializing", "initializing", None),
        operator_managed: false,
    };
    check(
        "DescribeInstanceStatus",
        &Response::DescribeInstanceStatus(page(vec![status])),
        include_str!("describe_instance_status.golden.xml"),
    );
}

#[test]
fn route_tables_are_told_with_routes_and_associations() {
    let table = RouteTable {
        route_table_id: "rtb-1".to_owned(),
        vpc_id: "vpc-1".to_owned(),
        owner_id: "123456789012".to_owned(),
        routes: vec![Route {
            destination_cidr_block: Some("10.0.0.10/32".to_owned()),
            instance_id: Some("i-1".to_owned()),
            instance_owner_id: Some("123456789012".to_owned()),
            network_interface_id: Some("eni-1".to_owned()),
            origin: "CreateRoute".to_owned(),
            state: "blackhole".to_owned(),
            ..Route::default()
        }],
        associations: vec![RouteTableAssociation {
            association_id: "rtbassoc-1".to_owned(),
            route_table_id: "rtb-1".to_owned(),
            main: true,
            state: "associated".to_owned(),
            ..RouteTableAssociation::default()
        }],
        ..RouteTable::default()
    };
    check(
        "DescribeRouteTables",
        &Response::DescribeRouteTables(page(vec![table])),
        "<DescribeRouteTablesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">
           <requestId>r-1</requestId>
           <routeTableSet>
             <item>
               <routeTableId>rtb-1</routeTableId>
               <vpcId>vpc-1</vpcId>
               <ownerId>123456789012</ownerId>
               <routeSet>
                 <item>
                   <destinationCidrBlock>10.0.0.10/32</destinationCidrBlock>
                   <instanceId>i-1</instanceId>
                   <instanceOwnerId>123456789012</instanceOwnerId>
                   <networkInterfaceId>eni-1</networkInterfaceId>
                   <origin>CreateRoute</origin>
                   <state>blackhole</state>
                 </item>
               </routeSet>
               <associationSet>
                 <item>
                   <routeTableAssociationId>rtbassoc-1</routeTableAssociationId>
                   <routeTableId>rtb-1</routeTableId>
                   <main>true</main>
                   <associationState>
                     <state>associated</state>
                   </associationState>
                 </item>
               </associationSet>
               <propagatingVgwSet>
               </propagatingVgwSet>
               <tagSet>
               </tagSet>
             </item>
           </routeTableSet>
         </DescribeRouteTablesResponse>",
    );
}

#[test]
fn state_changes_and_plain_successes_have_their_own_shapes() {
    check(
        "TerminateInstances",
        &Response::TerminateInstances(vec![InstanceStateChange {
            instance_id: "i-1".to_owned(),
            current_state: InstanceState::ShuttingDown,
            previous_state: InstanceState::Running,
        }]),
        "<TerminateInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">
           <requestId>r-1</requestId>
           <instancesSet>
             <item>
               <instanceId>i-1</instanceId>
               <currentState>
                 <code>32</code>
                 <name>shutting-down</name>
               </currentState>
               <previousState>
                 <code>16</code>
                 <name>running</name>
               </previousState>
             </item>
           </instancesSet>
         </TerminateInstancesResponse>",
    );
    check(
        "ReplaceRoute",
        &Response::Return,
        "<ReplaceRouteResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">
           <requestId>r-1</requestId>
           <return>true</return>
         </ReplaceRouteResponse>",
    );
}

#[test]
fn an_attribute_is_an_element_of_its_own_name() {
    let attribute = |value| {
        let attribute = InstanceAttribute { instance_id: "i-1".to_owned(), value };
        lines("DescribeInstanceAttribute", &Response::DescribeInstanceAttribute(attribute))
    };
    let name = "disableApiStop".to_owned();
    let text = attribute(AttributeValue::Flag { name, value: true });
    assert!(text.contains("<disableApiStop>\n<value>true</value>\n</disableApiStop>"));
    let name = "userData".to_owned();
    let text = attribute(AttributeValue::Text { name, value: None });
    assert!(text.contains("<userData>\n</userData>"), "{text}");
}

#[test]
fn the_caller_is_told_in_the_shape_of_sts() {
    check(
        "GetCallerIdentity",
        &Response::GetCallerIdentity(CallerIdentity {
            account: "123456789012".to_owned(),
            arn: "arn:aws:iam::123456789012:user/lab".to_owned(),
            user_id: "AIDAFAKE".to_owned(),
        }),
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">
           <GetCallerIdentityResult>
             <Arn>arn:aws:iam::123456789012:user/lab</Arn>
             <UserId>AIDAFAKE</UserId>
             <Account>123456789012</Account>
           </GetCallerIdentityResult>
           <ResponseMetadata>
             <RequestId>r-1</RequestId>
           </ResponseMetadata>
         </GetCallerIdentityResponse>",
    );
}
