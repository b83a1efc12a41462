//! A stream between TLS and HTTP that counts what comes in and can spoil what goes out.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// What happens to outgoing bytes.
#[derive(Debug, Clone, Default)]
pub(super) enum Outgoing {
    /// They go out.
    #[default]
    Plain,
    /// One at a time, with this pause before each.
    Drip(Duration),
    /// These go out in place of the first that would, then the connection ends.
    Instead(Vec<u8>),
}

/// The part of a tap that the HTTP side holds.
#[derive(Debug, Clone, Default)]
pub(super) struct TapHandle {
    received: Arc<AtomicU64>,
    outgoing: Arc<Mutex<Outgoing>>,
}

impl TapHandle {
    /// Bytes that have come in.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, outgoing: Outgoing) {
        *self.outgoing.lock().unwrap_or_else(PoisonError::into_inner) = outgoing;
    }

    fn outgoing(&self) -> Outgoing {
        (self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)).clone()
    }
}

/// The stream itself.
pub(super) struct Tap<S> {
    inner: S,
    handle: TapHandle,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<S> Tap<S> {
    pub(super) fn new(inner: S, handle: TapHandle) -> Self {
        Self { inner, handle, pause: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let done = Pin::new(&mut self.inner).poll_read(cx, buf);
        let read = (buf.filled().len() - before) as u64;
        self.handle.received.fetch_add(read, Ordering::Relaxed);
        done
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.handle.outgoing() {
            Outgoing::Plain => Pin::new(&mut self.inner).poll_write(cx, bytes),
            Outgoing::Drip(pause) => {
                let sleep = self.pause.get_or_insert_with(|| Box::pin(sleep(pause)));
                std::task::ready!(sleep.as_mut().poll(cx));
                let one = &bytes[..bytes.len().min(1)];
                let done = Pin::new(&mut self.inner).poll_write(cx, one);
                if done.is_ready() {
                    self.pause = None;
                }
                done
            }
            Outgoing::Instead(other) if other.is_empty() => {
                Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
            }
            Outgoing::Instead(mut other) => {
                let written = std::task::ready!(Pin::new(&mut self.inner).poll_write(cx, &other))?;
                other.drain(..written);
                self.handle.set(Outgoing::Instead(other));
                // Nothing of what HTTP wanted to say has been said.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
