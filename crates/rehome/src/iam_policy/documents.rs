//! Statements as documents: policies within IAM's limits, a role's JSON, a CloudFormation template.

use std::collections::BTreeMap;

use rehome_core::permissions::{Scope, Statement};
use serde::Serialize;

use crate::fail::Problem;

/// Characters of a managed policy, blanks not counted (IAM user guide, "IAM and AWS STS quotas").
const POLICY_CHARACTERS_MAX: usize = 6_144;

/// Managed policies that a role can have, unless the quota was raised (same page).
const POLICIES_MAX: usize = 10;

/// The version of the policy language.
const VERSION: &str = "2012-10-17";

/// Everything that is deployed for one configuration.
#[derive(Debug)]
pub(super) struct Documents {
    /// `rehome-<vip>`: what role, profile and policies are called.
    name: String,
    vip: String,
    principal: &'static str,
    policies: Vec<Policy>,
}

/// A policy document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

/// Who may take on a role.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Trust {
    version: &'static str,
    statement: [TrustStatement; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TrustStatement {
    effect: &'static str,
    principal: BTreeMap<&'static str, &'static str>,
    action: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Whole<'a> {
    role: Role<'a>,
    instance_profile: Profile<'a>,
    policies: Vec<Named<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Role<'a> {
    role_name: &'a str,
    assume_role_policy_document: Trust,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Profile<'a> {
    instance_profile_name: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Named<'a> {
    policy_name: String,
    policy_document: &'a Policy,
}

/// A CloudFormation template.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Template<'a> {
    #[serde(rename = "AWSTemplateFormatVersion")]
    format: &'static str,
    description: String,
    resources: BTreeMap<String, Resource<'a>>,
    outputs: BTreeMap<&'static str, Output>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "Type", content = "Properties")]
enum Resource<'a> {
    #[serde(rename = "AWS::IAM::Role", rename_all = "PascalCase")]
    Role { description: String, assume_role_policy_document: Trust },
    #[serde(rename = "AWS::IAM::InstanceProfile", rename_all = "PascalCase")]
    Profile { roles: [Ref; 1] },
    #[serde(rename = "AWS::IAM::ManagedPolicy", rename_all = "PascalCase")]
    Policy { description: String, roles: [Ref; 1], policy_document: &'a Policy },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    description: &'static str,
    value: Ref,
}

/// A reference to another resource of the template.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Ref {
    r#ref: &'static str,
}

impl Documents {
    /// What `scope` takes, in as few policies as it fits into.
    ///
    /// # Errors
    /// Where it doesn't fit into as many policies as a role can have.
    pub(super) fn of(scope: &Scope) -> Result<Documents, Problem> {
        let policies = packed(scope.statements());
        if policies.len() > POLICIES_MAX {
            return Err(Problem::new(
                format!(
                    "this configuration takes {} policies of {POLICY_CHARACTERS_MAX} characters, \
                     and a role can have {POLICIES_MAX}",
                    policies.len()
                ),
                "name fewer tables with --route-table, or run rehome once for each part of them",
            ));
        }
        let vip = scope.vip.address.to_string();
        let name = format!("rehome-{vip}");
        Ok(Documents { name, vip, principal: scope.ec2_principal(), policies })
    }

    /// Role, instance profile and policies in one document.
    pub(super) fn json(&self) -> String {
        let policies = self.policies.iter().zip(1..).map(|(policy, number)| Named {
            policy_name: match number {
                1 => self.name.clone(),
                more => format!("{}-{more}", self.name),
            },
            policy_document: policy,
        });
        pretty(&Whole {
            role: Role { role_name: &self.name, assume_role_policy_document: self.trusts() },
            instance_profile: Profile { instance_profile_name: &self.name },
            policies: policies.collect(),
        })
    }

    /// The one policy, bare.
    ///
    /// # Errors
    /// Where it takes several.
    pub(super) fn policy(&self) -> Result<String, Problem> {
        match &self.policies[..] {
            [one] => Ok(pretty(one)),
            several => Err(Problem::new(
                format!("this configuration takes {} policies, not one", several.len()),
                "leave --only out: `Policies` has all of them",
            )),
        }
    }

    /// The trust policy, bare.
    pub(super) fn trust(&self) -> String {
        pretty(&self.trusts())
    }

    /// A template of a stack with role, instance profile and policies.
    pub(super) fn cloudformation(&self) -> String {
        let mut resources: BTreeMap<String, Resource<'_>> = BTreeMap::new();
        let description = format!("rehome, which keeps {} alive", self.vip);
        let role = Resource::Role {
            description: description.clone(),
            assume_role_policy_document: self.trusts(),
        };
        resources.insert("Role".to_owned(), role);
        let roles = || [Ref { r#ref: "Role" }];
        resources.insert("InstanceProfile".to_owned(), Resource::Profile { roles: roles() });
        for (policy, number) in self.policies.iter().zip(1..) {
            let name = if number == 1 { "Policy".to_owned() } else { format!("Policy{number}") };
            let description = description.clone();
            let policy = Resource::Policy { description, roles: roles(), policy_document: policy };
            resources.insert(name, policy);
        }
        let output = |description, name| Output { description, value: Ref { r#ref: name } };
        pretty(&Template {
            format: "2010-09-09",
            description: format!("Least privilege for rehome with {}", self.vip),
            resources,
            outputs: BTreeMap::from([
                ("InstanceProfile", output("For the monitoring machine", "InstanceProfile")),
                ("Role", output("The role inside it", "Role")),
            ]),
        })
    }

    /// What people are told about the result.
    pub(super) fn notes(&self) -> Vec<String> {
        let sizes: Vec<String> =
            self.policies.iter().map(|policy| characters(policy).to_string()).collect();
        let mut notes = vec![format!(
            "{} characters of the {POLICY_CHARACTERS_MAX} that a managed policy takes",
            sizes.join(" and ")
        )];
        let why = "Only listings are for every resource: EC2 lets no policy name theirs";
        notes.push(why.to_owned());
        if self.policies.len() > 1 {
            notes.push(format!("Too long for one: {} policies", self.policies.len()));
        }
        notes
    }

    fn trusts(&self) -> Trust {
        Trust {
            version: VERSION,
            statement: [TrustStatement {
                effect: "Allow",
                principal: BTreeMap::from([("Service", self.principal)]),
                action: "sts:AssumeRole",
            }],
        }
    }
}

/// Statements in their order, a new policy wherever one is full. No statement is longer than a
/// policy: the core bounds its resources.
fn packed(statements: Vec<Statement>) -> Vec<Policy> {
    let mut policies: Vec<Policy> = Vec::new();
    for statement in statements {
        if let Some(last) = policies.last_mut() {
            last.statement.push(statement);
            if characters(last) <= POLICY_CHARACTERS_MAX {
                continue;
            }
            let statement = last.statement.pop().into_iter().collect();
            policies.push(Policy { version: VERSION, statement });
        } else {
            policies.push(Policy { version: VERSION, statement: vec![statement] });
        }
    }
    policies
}

/// As IAM counts them, or a few more: blanks inside of names are counted here.
fn characters(policy: &Policy) -> usize {
    serde_json::to_string(policy).expect("names and texts always serialize").chars().count()
}

fn pretty(document: &impl Serialize) -> String {
    serde_json::to_string_pretty(document).expect("names and texts always serialize")
}
