//! The parameters of one Query API call: `Filter.1.Value.2=running` and its like.
//!
//! [`server`](super::server) makes a [`Parameters`] from the form body; [`query`](super::query)
//! takes out of it what the action knows, with EC2's own errors for what is missing or malformed,
//! and [`Parameters::finish`] refuses what is left over. It lives for one request.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use ec2_model::ApiError;

/// Parameters of one call. EC2 itself accepts some 1,000 filter values and ids a call.
const MAX_PARAMETERS: usize = 20_000;

/// What every call may carry and no action reads: the envelope, and the query form of a signature.
const COMMON: &[&str] = &[
    "Action",
    "Version",
    "AWSAccessKeyId",
    "Signature",
    "SignatureMethod",
    "SignatureVersion",
    "SecurityToken",
    "Timestamp",
    "Expires",
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
];

/// The parameters nobody has taken yet, by their full dotted name.
#[derive(Debug)]
pub(super) struct Parameters {
    rest: BTreeMap<String, String>,
}

impl Parameters {
    /// Reads form-encoded text (a body or a query string). A name given twice keeps its first
    /// value.
    pub(super) fn parse(form: &[u8]) -> Result<Parameters, ApiError> {
        let mut rest = BTreeMap::new();
        for (count, (name, value)) in form_urlencoded::parse(form).enumerate() {
            if count >= MAX_PARAMETERS {
                return Err(client_error(
                    "MalformedQueryString",
                    "The query string contains too many parameters".to_owned(),
                ));
            }
            rest.entry(name.into_owned()).or_insert_with(|| value.into_owned());
        }
        Ok(Parameters { rest })
    }

    /// Looks at a parameter without taking it.
    pub(super) fn peek(&self, name: &str) -> Option<&str> {
        self.rest.get(name).map(String::as_str)
    }

    /// Whether a parameter of this name, or below it, is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.rest.contains_key(name) || self.below(name).next().is_some()
    }

    /// Takes an optional parameter.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.rest.remove(name)
    }

    /// Puts a parameter under another name, unless that is there already.
    pub(super) fn put(&mut self, name: &str, value: String) {
        self.rest.entry(name.to_owned()).or_insert(value);
    }

    /// Takes a parameter that must be there.
    pub(super) fn text(&mut self, name: &str) -> Result<String, ApiError> {
        self.take(name).filter(|value| !value.is_empty()).ok_or_else(|| missing(name))
    }

    /// Takes `true` or `false`, in any case.
    pub(super) fn boolean(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(value) => Err(invalid(name, &value, "Must be 'true' or 'false'")),
        }
    }

    /// Takes a number.
    pub(super) fn integer<N: FromStr>(&mut self, name: &str) -> Result<Option<N>, ApiError> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        match value.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(invalid(name, &value, "Must be an integer")),
        }
    }

    /// The numbers N of `name.N` and `name.N.…`, ascending: a list counts from 1, gaps allowed.
    pub(super) fn members(&self, name: &str) -> Vec<u32> {
        let numbers: BTreeSet<u32> =
            self.below(name).filter_map(|rest| rest.split('.').next()?.parse().ok()).collect();
        numbers.into_iter().collect()
    }

    /// Takes the list `name.1`, `name.2` …, in the order of its numbers.
    pub(super) fn list(&mut self, name: &str) -> Vec<String> {
        self.members(name)
            .into_iter()
            .filter_map(|number| self.take(&format!("{name}.{number}")))
            .collect()
    }

    /// Takes a list that must have a member.
    pub(super) fn some_list(&mut self, name: &str) -> Result<Vec<String>, ApiError> {
        let list = self.list(name);
        if list.is_empty() {
            return Err(missing(name));
        }
        Ok(list)
    }

    /// Takes everything below `name` and drops it.
    pub(super) fn ignore(&mut self, name: &str) {
        self.rest.retain(|key, _| match key.strip_prefix(name) {
            Some(rest) => !(rest.is_empty() || rest.starts_with('.')),
            None => true,
        });
    }

    /// What follows `name.` in the keys that start so: they are neighbors in the map.
    fn below(&self, name: &str) -> impl Iterator<Item = &str> {
        let prefix = format!("{name}.");
        self.rest
            .range(prefix.clone()..)
            .map_while(move |(key, _)| key.strip_prefix(prefix.as_str()))
    }

    /// Refuses what no one took.
    pub(super) fn finish(mut self) -> Result<(), ApiError> {
        for name in COMMON {
            self.rest.remove(*name);
        }
        match self.rest.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(client_error(
                "UnknownParameter",
                format!("The parameter {name} is not recognized"),
            )),
        }
    }
}

/// An error of the caller's making, HTTP 400.
pub(super) fn client_error(code: &str, message: String) -> ApiError {
    ApiError { code: code.to_owned(), message, status: 400 }
}

/// EC2's answer when a required parameter isn't there.
pub(super) fn missing(name: &str) -> ApiError {
    client_error("MissingParameter", format!("The request must contain the parameter {name}"))
}

/// EC2's answer to a value that can't be read. Its messages spell the name with a small letter.
pub(super) fn invalid(name: &str, value: &str, why: &str) -> ApiError {
    let mut letters = name.chars();
    let small: String =
        letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
    client_error(
        "InvalidParameterValue",
        format!("Value ({value}) for parameter {small} is invalid. {why}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(form: &str) -> Parameters {
        Parameters::parse(form.as_bytes()).unwrap()
    }

    #[test]
    fn a_list_follows_its_numbers_not_its_letters_and_may_have_gaps() {
        let mut call = parameters("InstanceId.10=j&InstanceId.2=b&InstanceId.1=a&InstanceIds=x");
        assert_eq!(call.list("InstanceId"), ["a", "b", "j"]);
        assert_eq!(call.list("InstanceId"), Vec::<String>::new());
    }

    #[test]
    fn nested_members_are_counted_once() {
        let call = parameters("Filter.2.Name=a&Filter.2.Value.1=b&Filter.7.Name=c&Filters.9=d");
        assert_eq!(call.members("Filter"), [2, 7]);
    }

    #[test]
    fn a_missing_parameter_is_named_as_ec2_names_it() {
        let refusal = parameters("VpcId=").text("VpcId").unwrap_err();
        assert_eq!(refusal.code, "MissingParameter");
        assert_eq!(refusal.message, "The request must contain the parameter VpcId");
        assert_eq!(refusal.status, 400);
    }

    #[test]
    fn booleans_are_read_in_any_case_and_nothing_else_is() {
        let mut call = parameters("A=true&B=False&C=yes");
        assert_eq!(call.boolean("A").unwrap(), Some(true));
        assert_eq!(call.boolean("B").unwrap(), Some(false));
        assert_eq!(call.boolean("C").unwrap_err().code, "InvalidParameterValue");
        assert_eq!(call.boolean("D").unwrap(), None);
    }

    #[test]
    fn a_number_that_is_none_is_refused_with_a_small_letter() {
        let refusal = parameters("MaxResults=ten").integer::<u32>("MaxResults").unwrap_err();
        assert_eq!(
            refusal.message,
            "Value (ten) for parameter maxResults is invalid. Must be an integer"
        );
    }

    #[test]
    fn what_no_one_takes_is_not_recognized() {
        let mut call = parameters("Action=X&Version=1&InstanceId.1=i-1&Bogus=2&X-Amz-Date=3");
        call.list("InstanceId");
        let refusal = call.finish().unwrap_err();
        assert_eq!(refusal.code, "UnknownParameter");
        assert_eq!(refusal.message, "The parameter Bogus is not recognized");
        assert!(parameters("Action=X&Version=1").finish().is_ok());
    }

    #[test]
    fn ignoring_a_name_takes_everything_below_it_and_nothing_beside_it() {
        let mut call = parameters("Monitoring.Enabled=true&Monitoring=1&MonitoringX=2");
        call.ignore("Monitoring");
        assert!(!call.has("Monitoring"));
        assert!(call.has("MonitoringX"));
    }

    #[test]
    fn percent_and_plus_are_decoded() {
        let mut call = parameters("Filter.1.Value.1=a%3Db+c%C3%A9");
        assert_eq!(call.list("Filter.1.Value"), ["a=b cé"]);
    }

    #[test]
    fn too_many_parameters_are_refused_rather_than_held() {
        let form = "A.1=x&".repeat(MAX_PARAMETERS + 1);
        let refusal = Parameters::parse(form.as_bytes()).unwrap_err();
        assert_eq!(refusal.code, "MalformedQueryString");
    }
}
