//! `rehome iam-policy`: the least privilege for this very configuration, ready to be deployed.
//!
//! What is needed is the core's to say ([`rehome_core::permissions`]). Here the account is read as
//! `run` reads it at its start, the role inside the holder's instance profile is looked up, and the
//! statements are put into policies that fit IAM's limits and into the form that was asked for.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use rehome_core::fault::ErrorClass;
use rehome_core::permissions::{Scope, fitting_role, profile_name};
use rehome_core::preflight::{Snapshot, Start};
use tokio::runtime::Builder;

use crate::aws::client::Aws;
use crate::cli::RunArgs;
use crate::config::Wanted;
use crate::fail::{FAILED, Failure, Problem, TEMPORARY};
use crate::run;
use crate::survey::survey;

mod documents;

use documents::Documents;

/// The flags of `iam-policy`.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// How it is written
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
    /// Print one bare document, to be pasted or given to `aws iam`; with --format json
    #[arg(long, value_enum, value_name = "WHICH")]
    only: Option<Only>,
    /// Role inside the holder's instance profile [default: read from IAM]
    #[arg(long, value_name = "ARN", value_parser = role_arn)]
    holder_role: Option<String>,
    #[command(flatten)]
    run: Wanted,
}

/// `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One document with role, instance profile and policies
    Json,
    /// A template of a stack with the same
    Cloudformation,
}

/// `--only`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Only {
    /// The policy
    Policy,
    /// The role's trust policy
    Trust,
}

/// Prints the policy of a configuration that can start.
pub(crate) fn print(args: PolicyArgs) -> Result<ExitCode, Failure> {
    if args.only.is_some() && args.format == Format::Cloudformation {
        let what = "--only names a document of --format json, not of --format cloudformation";
        return Err(Failure::wrong(Problem::new(what, "leave one of them out")));
    }
    run::log_to_stderr(args.run.debug());
    let of = args.run.one()?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(FAILED, Problem::of(&error, None)))?;
    let scope = runtime.block_on(scope(&of, args.holder_role.as_deref()))?;
    let documents = Documents::of(&scope).map_err(Failure::wrong)?;
    let text = match (args.format, args.only) {
        (Format::Json, None) => documents.json(),
        (Format::Json, Some(Only::Policy)) => documents.policy().map_err(Failure::wrong)?,
        (Format::Json, Some(Only::Trust)) => documents.trust(),
        (Format::Cloudformation, _) => documents.cloudformation(),
    };
    crate::stdout::print_line(&text)?;
    for note in documents.notes() {
        eprintln!("{note}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads what the configuration is about.
async fn scope(of: &RunArgs, holder_role: Option<&str>) -> Result<Scope, Failure> {
    let aws = Aws::connect()
        .await
        .map_err(|error| Failure::wrong(Problem::of(&error, Some(error.hint().to_owned()))))?;
    let order = of.order();
    // Without the state file: the policy may be printed on any machine.
    let snapshot = survey(&aws, &order, None).await.map_err(|error| {
        if error.is_definite() {
            return run::denied(&error);
        }
        let hint = if error.class() == ErrorClass::Credentials {
            "`aws sts get-caller-identity` has to work with the same environment: an instance \
             profile, AWS_PROFILE or keys"
        } else {
            "try again; `--debug` shows every call"
        };
        let at = aws.endpoint().map(|endpoint| format!(" at {endpoint}")).unwrap_or_default();
        Failure::new(TEMPORARY, Problem::new(format!("EC2 can't be read{at}: {error}"), hint))
    })?;
    let start = run::assessed(&order, None, &snapshot)?;
    tell(&aws, &start, &snapshot);
    let observe = of.operation.observe;
    let role = role(holder_role, observe, &aws, &start, &snapshot).await?;
    Scope::of(&order, observe, &start, &snapshot, aws.region(), role).map_err(|error| {
        let hint = "check the endpoint: every answer of STS has the caller's ARN";
        Failure::wrong(Problem::of(&error, Some(hint.to_owned())))
    })
}

fn tell(aws: &Aws, start: &Start, snapshot: &Snapshot) {
    eprintln!("Region {}, account {}", aws.region(), snapshot.caller.account);
    let record = &start.record;
    let tables: Vec<&str> = record.route_set.iter().map(|table| table.as_str()).collect();
    eprintln!(
        "For {}, held by {} ({}), with its routes in {}",
        record.vip,
        record.holder.instance,
        record.holder.interface,
        tables.join(", ")
    );
}

/// The role that is passed on with the holder's instance profile, where it has one. Never guessed:
/// a pattern would let every role of the account be passed on.
async fn role(
    named: Option<&str>,
    observe: bool,
    aws: &Aws,
    start: &Start,
    snapshot: &Snapshot,
) -> Result<Option<String>, Failure> {
    if let Some(role) = named {
        fitting_role(role, &snapshot.caller, &start.record)
            .map_err(|refusal| Failure::wrong(Problem::new(refusal.what, refusal.hint)))?;
        return Ok(Some(role.to_owned()));
    }
    let Some(profile) = &start.record.spec.profile else { return Ok(None) };
    if observe {
        return Ok(None);
    }
    match aws.role_of_profile(profile_name(profile)).await {
        Ok(None) => {
            eprintln!("{profile} holds no role, so none has to be passed on");
            Ok(None)
        }
        Ok(role) => Ok(role),
        Err(error) => {
            let what = format!("the role inside {profile} can't be read: {error}");
            let hint = "name it with --holder-role arn:aws:iam::ACCOUNT:role/NAME, or allow \
                        iam:GetInstanceProfile to whoever prints the policy";
            let code = if error.is_definite() { crate::fail::WRONG } else { TEMPORARY };
            Err(Failure::new(code, Problem::new(what, hint)))
        }
    }
}

/// `arn:PARTITION:iam::ACCOUNT:role/NAME`, with or without a path.
fn role_arn(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let is_role = |name: &str| name.strip_prefix("role/").is_some_and(|name| !name.is_empty());
    let plain = text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '*' | '?'));
    match parts[..] {
        ["arn", partition, "iam", "", account, role]
            if plain
                && partition.starts_with("aws")
                && account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && is_role(role) =>
        {
            Ok(text.to_owned())
        }
        _ => Err("not the ARN of a role (like arn:aws:iam::123456789012:role/web)".to_owned()),
    }
}

#[cfg(test)]
mod tests;
