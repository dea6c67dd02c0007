//! What is asked of EC2 and what it answers, as data.
//!
//! One [`Request`] variant per action, one [`Response`] variant per kind of answer. Fields carry
//! the names of the EC2 Query API in snake case. Nothing is checked here: a parameter that EC2
//! requires is an empty string or list when the caller left it out, and the model refuses it as
//! EC2 does.

mod launch;
mod network;
mod request;
mod resource;
mod response;
mod rules;
mod storage;

pub use launch::*;
pub use network::*;
pub use request::*;
pub use resource::*;
pub use response::*;
pub use rules::*;
pub use storage::*;
