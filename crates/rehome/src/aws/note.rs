//! What can only be seen while requests are under way: how AWS's clock stands, and which actions
//! were answered how.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_ec2::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_ec2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::BoxError;
use jiff::fmt::rfc2822;
use rehome_core::fault::CallError;

use crate::clock;

/// What was asked while [`noted`] ran.
pub(crate) type Asked = (&'static str, Result<(), CallError>);

tokio::task_local! {
    static ASKED: RefCell<Vec<Asked>>;
}

/// Runs requests, and says which they were and how they were answered.
pub(crate) async fn noted<T>(requests: impl Future<Output = T>) -> (T, Vec<Asked>) {
    ASKED
        .scope(RefCell::default(), async {
            let result = requests.await;
            (result, ASKED.with(RefCell::take))
        })
        .await
}

/// Notes an answered request, while anybody wants to know.
pub(super) fn note<T>(action: &'static str, answer: &Result<T, CallError>) {
    let answer = answer.as_ref().map(|_| ()).map_err(Clone::clone);
    let _ = ASKED.try_with(|asked| asked.borrow_mut().push((action, answer)));
}

/// By how many seconds our clock is ahead of AWS's, by the last answer's `Date` (RFC 9110, section
/// 6.6.1), which even a refusal carries.
#[derive(Clone, Debug, Default)]
pub(super) struct Skew(Arc<Mutex<Option<i64>>>);

impl Skew {
    pub(super) fn ahead(&self) -> Option<i64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Skew {
    fn name(&self) -> &'static str {
        "Skew"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        if let Some(ahead) = date.and_then(|date| ahead(date, clock::unix().0)) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        }
        Ok(())
    }
}

fn ahead(date: &str, now: u64) -> Option<i64> {
    let theirs = rfc2822::parse(date).ok()?.timestamp().as_second();
    Some(i64::try_from(now).ok()?.saturating_sub(theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_tells_how_far_ahead_we_are() {
        let date = "Sun, 22 Nov 2026 18:00:00 GMT";
        assert_eq!(ahead(date, 1_795_370_400), Some(0));
        assert_eq!(ahead(date, 1_795_370_445), Some(45));
        assert_eq!(ahead(date, 1_795_370_000), Some(-400));
        assert_eq!(ahead("yesterday", 0), None);
    }
}
