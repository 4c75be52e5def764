//! Both ends of a connection, and the ways to end it.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::Failure;
use super::files::io_failed;
use super::socket::{PATIENCE_S, abort_on_close};
use crate::validate::Ending;

/// A connection.
pub(super) struct Pair {
    /// The end that called `connect()`.
    pub(super) client: TcpStream,
    /// The end that `accept()` gave.
    pub(super) server: TcpStream,
    /// The client's port.
    pub(super) port: u16,
}

impl Pair {
    /// Ends the connection. Returns the end that is never closed, if one is not: it has to be kept.
    ///
    /// # Panics
    /// When it is to end never: nobody asks for that.
    pub(super) fn close(self, close: Ending) -> Result<Option<TcpStream>, Failure> {
        let Self { client, server, .. } = self;
        match close {
            Ending::Client => close_in_turn(client, server),
            Ending::Server => close_in_turn(server, client),
            Ending::Reset => reset(client, server),
            Ending::ServerReset => reset(server, client),
            Ending::Unread => close_unread(client, server),
            Ending::Half => {
                drop(client);
                return Ok(Some(server));
            }
            Ending::CloseWait => {
                drop(server);
                return Ok(Some(client));
            }
            Ending::Never => unreachable!("a case ends what it opens"),
        }?;
        Ok(None)
    }

    /// Closes the client's end; returns the server's, which has had the FIN.
    pub(super) fn close_client(self) -> Result<TcpStream, Failure> {
        let Self { client, mut server, .. } = self;
        drop(client);
        hear_the_end(&mut server)?;
        Ok(server)
    }
}

/// A FIN from one end, and as soon as it has arrived one from the other.
fn close_in_turn(first: TcpStream, mut second: TcpStream) -> Result<(), Failure> {
    drop(first);
    hear_the_end(&mut second)
}

/// Waits until the other end's FIN has arrived.
fn hear_the_end(stream: &mut TcpStream) -> Result<(), Failure> {
    let told = patient(stream).and_then(|()| read_one(stream));
    told.map_err(|error| io_failed("waiting for the other end's FIN", &error))
}

/// A reset from one end; the other has nothing to add.
fn reset(first: TcpStream, second: TcpStream) -> Result<(), Failure> {
    abort_on_close(&first)?;
    drop(first);
    drop(second);
    Ok(())
}

/// The server sends a byte that the client leaves in its buffer: the kernel makes a reset of that.
fn close_unread(client: TcpStream, mut server: TcpStream) -> Result<(), Failure> {
    let arrived = server
        .write_all(b"x")
        .and_then(|()| patient(&client))
        .and_then(|()| client.peek(&mut [0; 1]));
    arrived.map_err(|error| io_failed("sending a byte", &error))?;
    drop(client);
    match patient(&server).and_then(|()| read_one(&mut server)) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => {
            Err(io_failed("waiting for the reset", &error))
        }
        _ => Ok(()),
    }
}

/// Reads what comes next, a byte or the end. A wait with a bound is broken off by signals.
fn read_one(stream: &mut TcpStream) -> std::io::Result<()> {
    loop {
        match stream.read(&mut [0; 1]) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            told => return told.map(drop),
        }
    }
}

fn patient(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(PATIENCE_S.unsigned_abs())))
}
