//! Bodies that come drop by drop: a client that holds a request open without sending anything worth it is let go.

use std::io::{Error, ErrorKind};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::time::{Instant, timeout_at};

/// How fast a body must come on average, in bytes per second, once its time of grace is over.
const MIN_RATE: u64 = 1024;

/// The same body, which fails once it has come too slowly: `grace` after it is first asked for, plus a second for each
/// KiB that has come.
pub(super) fn guarded(body: Payload, grace: Duration) -> Payload {
    match body {
        Payload::None => Payload::None,
        body => Payload::Stream { payload: Box::pin(watched(body, grace)) },
    }
}

fn watched(
    body: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    grace: Duration,
) -> impl Stream<Item = Result<Bytes, PayloadError>> {
    stream::unfold(Some((body, None, 0_u64)), move |state| async move {
        let (mut body, started, received) = state?;
        let started = started.unwrap_or_else(Instant::now);
        let deadline = started + grace + Duration::from_secs(received / MIN_RATE);
        match timeout_at(deadline, body.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(chunk))) => {
                let received = received + chunk.len() as u64;
                Some((Ok(chunk), Some((body, Some(started), received))))
            }
            Ok(Some(Err(error))) => Some((Err(error), None)),
            Err(_elapsed) => Some((Err(PayloadError::Io(Error::from(ErrorKind::TimedOut))), None)),
        }
    })
}

/// Whether a body failed because it came too slowly.
pub(super) fn came_too_slowly(error: &PayloadError) -> bool {
    matches!(error, PayloadError::Io(error) if error.kind() == ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body in chunks of this size, one each second.
    fn drips(size: usize, count: usize) -> impl Stream<Item = Result<Bytes, PayloadError>> + Unpin {
        Box::pin(stream::iter(0..count).then(move |_| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(Bytes::from(vec![b'x'; size]))
        }))
    }

    async fn read(body: impl Stream<Item = Result<Bytes, PayloadError>>) -> Result<usize, PayloadError> {
        let chunks: Vec<_> = body.collect().await;
        chunks.into_iter().try_fold(0, |sum, chunk| Ok(sum + chunk?.len()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_is_given_up_and_one_that_merely_takes_its_time_is_not() {
        let grace = Duration::from_secs(10);
        let error = read(watched(drips(1, 60), grace)).await.unwrap_err();
        assert!(came_too_slowly(&error), "{error}");
        assert_eq!(read(watched(drips(1, 9), grace)).await.unwrap(), 9);
        assert_eq!(read(watched(drips(2048, 600), grace)).await.unwrap(), 2048 * 600);
    }
}
