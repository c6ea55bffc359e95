//! How long a request may take to be answered, and the routes that may take longer: those whose very purpose is to
//! wait.

use std::cell::Cell;
use std::future::{Ready, ready};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use tokio::time::{Instant, timeout_at};

use super::ApiError;

/// Until when a request must be answered. Clones are of the same request.
#[derive(Debug, Clone)]
pub(crate) struct Patience(Rc<Cell<Instant>>);

/// The request was not answered in time.
#[derive(Debug)]
pub(super) struct TimeIsUp;

impl Patience {
    /// So long from now.
    pub(super) fn of(limit: Duration) -> Self {
        Self(Rc::new(Cell::new(Instant::now() + limit)))
    }

    /// Gives the request so long from now, if that is longer than it has anyway. For long polls and waiting submits:
    /// the time that they wait for, and some for the answer.
    pub(crate) fn at_least(&self, limit: Duration) {
        self.0.set(self.0.get().max(Instant::now() + limit));
    }

    /// Waits for the answer until its time is up.
    pub(super) async fn wait_for<F: Future>(&self, answer: F) -> Result<F::Output, TimeIsUp> {
        let mut answer = pin!(answer);
        loop {
            let until = self.0.get();
            if let Ok(answer) = timeout_at(until, &mut answer).await {
                return Ok(answer);
            }
            if self.0.get() <= until {
                return Err(TimeIsUp);
            }
        }
    }
}

impl FromRequest for Patience {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let patience = req.extensions().get::<Self>().cloned();
        // Outside of the shell nobody watches the time.
        ready(Ok(patience.unwrap_or_else(|| Self::of(Duration::ZERO))))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep_until;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_takes_too_long_is_given_up() {
        let patience = Patience::of(SECOND);
        assert!(patience.wait_for(sleep_until(Instant::now() + SECOND / 2)).await.is_ok());
        assert!(patience.wait_for(std::future::pending::<()>()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_route_that_waits_on_purpose_is_given_the_time() {
        let patience = Patience::of(SECOND);
        let started = Instant::now();
        let answer = patience.wait_for(async {
            patience.at_least(30 * SECOND);
            patience.at_least(SECOND);
            sleep_until(started + 20 * SECOND).await;
        });
        assert!(answer.await.is_ok());
        assert!(patience.wait_for(std::future::pending::<()>()).await.is_err());
        assert_eq!(started.elapsed(), 30 * SECOND);
    }
}
