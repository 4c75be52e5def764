//! Reading from what may have nothing to say for a while: a pipe, a terminal, a socket.
//!
//! A thread of its own waits for the bytes and hands them over, so that whoever wants them can look
//! meanwhile whether to stop. It is never waited for: when the program leaves, it goes too.

use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

/// Bytes that are handed over at once: what a pipe of Linux holds.
const CHUNK: usize = 64 << 10;
/// Chunks that wait to be read, at most.
const CHUNKS: usize = 8;
/// How long to wait before it is asked whether to stop.
const TICK: Duration = Duration::from_millis(50);

/// A stream that is read elsewhere. It says [`io::ErrorKind::Interrupted`] when it waits and is to stop.
pub struct Waiting<S> {
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    /// Bytes of the chunk that were read.
    used: usize,
    stopped: S,
}

impl<S: Fn() -> bool> Waiting<S> {
    /// Reads what `open` gives; also that can take its time.
    pub fn new<R: Read>(
        open: impl FnOnce() -> io::Result<R> + Send + 'static,
        stopped: S,
    ) -> io::Result<Self> {
        let (sender, chunks) = mpsc::sync_channel(CHUNKS);
        std::thread::Builder::new().name("input".to_owned()).spawn(move || {
            let mut input = match open() {
                Ok(input) => input,
                Err(error) => return drop(sender.send(Err(error))),
            };
            // Ends when the stream does, or when nobody wants to hear of it any more.
            while let Some(chunk) = next(&mut input) {
                let failed = chunk.is_err();
                if sender.send(chunk).is_err() || failed {
                    return;
                }
            }
        })?;
        Ok(Self { chunks, chunk: Vec::new(), used: 0, stopped })
    }
}

/// What comes next; `None` at the end.
fn next(input: &mut impl Read) -> Option<io::Result<Vec<u8>>> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match input.read(&mut chunk) {
            Ok(0) => return None,
            Ok(read) => {
                chunk.truncate(read);
                return Some(Ok(chunk));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Some(Err(error)),
        }
    }
}

impl<S: Fn() -> bool> Read for Waiting<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.used == self.chunk.len() {
            match self.chunks.recv_timeout(TICK) {
                Ok(chunk) => (self.chunk, self.used) = (chunk?, 0),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
                Err(RecvTimeoutError::Timeout) if (self.stopped)() => {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        let read = (&self.chunk[self.used..]).read(buffer)?;
        self.used += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_come_in_order() {
        let bytes: Vec<u8> = (0..20 * CHUNK).map(|number| (number % 251) as u8).collect();
        let input = bytes.clone();
        let mut waiting = Waiting::new(move || Ok(io::Cursor::new(input)), || true).unwrap();
        let mut read = Vec::new();
        let mut buffer = [0; 1_000];
        loop {
            match waiting.read(&mut buffer) {
                Ok(0) => break,
                Ok(more) => read.extend_from_slice(&buffer[..more]),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::Interrupted),
            }
        }
        assert!(read == bytes);
    }

    #[test]
    fn an_error_is_handed_over() {
        let open = || Err::<io::Empty, _>(io::ErrorKind::PermissionDenied.into());
        let error = Waiting::new(open, || false).unwrap().read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }

    /// A stream that says nothing and never ends.
    struct SilentStream(Receiver<()>);

    impl Read for SilentStream {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(0)
        }
    }

    #[test]
    fn silence_can_be_stopped() {
        let (_held, silence) = mpsc::channel();
        let mut waiting = Waiting::new(move || Ok(SilentStream(silence)), || true).unwrap();
        assert_eq!(waiting.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::Interrupted);
    }
}
