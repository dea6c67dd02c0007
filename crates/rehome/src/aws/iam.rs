//! The one thing that IAM is asked: which role an instance profile holds.

use rehome_core::fault::CallError;

use super::client::{Aws, send};

impl Aws {
    /// The ARN of the role inside the instance profile of this name; a profile may be empty (IAM
    /// API reference, `InstanceProfile`: at most one role).
    ///
    /// # Errors
    /// Where that can't be said.
    pub(crate) async fn role_of_profile(&self, name: &str) -> Result<Option<String>, CallError> {
        let request = self.iam.get_instance_profile().instance_profile_name(name);
        let output = send("GetInstanceProfile", request.send()).await?;
        let roles = output.instance_profile().map(|profile| profile.roles()).unwrap_or_default();
        Ok(roles.first().map(|role| role.arn().to_owned()))
    }
}
