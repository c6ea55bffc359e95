//! Answers that may be a second old. What many ask for again and again, such as every open tab of a dashboard, is read
//! once for all of them.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::task::JoinError;
use tokio::time::Instant;

use super::ServiceError;

/// For how long an answer serves.
const SERVES_FOR: Duration = Duration::from_secs(1);

/// How many answers are kept; before there are more, all are forgotten.
const MOST: usize = 1000;

/// Something that is being read, or was, and when its answer came.
type Reading<V> = Shared<BoxFuture<'static, (Instant, Result<V, ServiceError>)>>;

/// The last second's answers, by what was asked for.
pub(super) struct Memo<K, V> {
    // Never held over an await.
    readings: Mutex<HashMap<K, Reading<V>>>,
}

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self { readings: Mutex::default() }
    }
}

impl<K, V> fmt::Debug for Memo<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}

impl<K, V> Memo<K, V>
where
    K: Eq + Hash,
    V: Clone + Send + Sync + 'static,
{
    /// The answer of the last second, the one that somebody else is waiting for, or else what is read now. A failure
    /// serves only those who waited for it.
    pub(super) async fn get(
        &self,
        key: K,
        read: impl Future<Output = Result<V, ServiceError>> + Send + 'static,
    ) -> Result<V, ServiceError> {
        let reading = self.reading(key, read);
        reading.await.1
    }

    fn reading(&self, key: K, read: impl Future<Output = Result<V, ServiceError>> + Send + 'static) -> Reading<V> {
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = readings.get(&key).filter(|known| serves(known)) {
            return known.clone();
        }
        if readings.len() >= MOST {
            readings.clear();
        }
        // A task of its own: whoever asked first may go away, and leave the others waiting with a connection held.
        let task = tokio::spawn(async move {
            let answer = read.await;
            (Instant::now(), answer)
        });
        let broken = |error: JoinError| (Instant::now(), Err(ServiceError::Internal { internal: error.to_string() }));
        let reading = task.map(move |ended| ended.unwrap_or_else(broken)).boxed().shared();
        readings.insert(key, reading.clone());
        reading
    }
}

/// What is still being read serves, and what was read within the last second.
fn serves<V: Clone>(reading: &Reading<V>) -> bool {
    // Not only looked at: nobody may have waited for its end.
    reading.clone().now_or_never().is_none_or(|(at, answer)| answer.is_ok() && at.elapsed() < SERVES_FOR)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::time::{advance, sleep};

    use super::*;

    /// Something that takes a while to read, and counts how often it was.
    #[derive(Clone, Default)]
    struct Source(Arc<AtomicUsize>);

    impl Source {
        async fn read(self) -> Result<usize, ServiceError> {
            sleep(Duration::from_millis(300)).await;
            Ok(self.0.fetch_add(1, Ordering::Relaxed) + 1)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_ask_it_is_read_once_a_second() {
        let (memo, source) = (Memo::default(), Source::default());
        let all = join_all((0..100).map(|_| memo.get(1, source.clone().read()))).await;
        assert!(all.iter().all(|answer| *answer == Ok(1)));
        advance(Duration::from_millis(900)).await;
        assert_eq!(memo.get(1, source.clone().read()).await, Ok(1));
        advance(Duration::from_millis(100)).await;
        assert_eq!(memo.get(1, source.clone().read()).await, Ok(2));
        assert_eq!(memo.get(2, source.clone().read()).await, Ok(3), "another question has its own answer");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_serves_only_those_who_waited_for_it() {
        let (memo, source) = (Memo::default(), Source::default());
        let away = || ServiceError::Unavailable { internal: "away".to_owned() };
        let fails = async move {
            sleep(Duration::from_millis(300)).await;
            Err(away())
        };
        let (first, second) = tokio::join!(memo.get(1, fails), memo.get(1, source.clone().read()));
        assert_eq!((first, second), (Err(away()), Err(away())));
        assert_eq!(memo.get(1, source.clone().read()).await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_goes_away_leaves_the_answer_to_the_others() {
        let (memo, source) = (Memo::default(), Source::default());
        let impatient = tokio::time::timeout(Duration::from_millis(10), memo.get(1, source.clone().read()));
        assert!(impatient.await.is_err());
        sleep(Duration::from_millis(300)).await;
        assert_eq!(source.0.load(Ordering::Relaxed), 1, "it is read to its end");
        assert_eq!(memo.get(1, source.clone().read()).await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_waited_for_grows_old_too() {
        let (memo, source) = (Memo::default(), Source::default());
        let impatient = tokio::time::timeout(Duration::from_millis(10), memo.get(1, source.clone().read()));
        assert!(impatient.await.is_err());
        sleep(Duration::from_secs(2)).await;
        assert_eq!(memo.get(1, source.clone().read()).await, Ok(2));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_is_kept_than_there_is_room_for() {
        let (memo, source) = (Memo::default(), Source::default());
        join_all((0..=MOST).map(|key| memo.get(key, source.clone().read()))).await;
        assert_eq!(memo.readings.lock().unwrap().len(), 1);
    }
}
