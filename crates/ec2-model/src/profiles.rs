//! What IAM tells of instance profiles: as much of it as EC2's callers ask for.

use crate::{
    api::{ProfileWithRole, Response},
    ec2::Ec2,
    error::ApiError,
    time::Time,
};

impl Ec2 {
    /// IAM `GetInstanceProfile`. Profiles are as old as the account, and their role's id follows
    /// from theirs: ids of profiles begin with `AIPA`, of roles with `AROA` (IAM user guide, "IAM
    /// identifiers").
    pub(crate) fn get_instance_profile(&self, name: &str) -> Result<Response, ApiError> {
        let Some(found) = self.world.profiles.get(name) else {
            return Err(ApiError::new(
                404,
                "NoSuchEntity",
                format!("Instance Profile {name} cannot be found."),
            ));
        };
        Ok(Response::GetInstanceProfile(ProfileWithRole {
            name: name.to_owned(),
            role_name: found.role.clone(),
            role_arn: format!("arn:aws:iam::{}:role/{}", self.account(), found.role),
            role_id: found.profile.id.replacen("AIPA", "AROA", 1),
            profile: found.profile.clone(),
            created: self.timestamp(Time::ZERO),
        }))
    }
}
