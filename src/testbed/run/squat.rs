//! Something sits on ports of the range, and connections come by.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::OwnedFd;

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, SockaddrIn6, SockaddrLike, listen,
    sockopt,
};

use super::hold::fill_all;
use crate::testbed::Failure;
use crate::testbed::files::failed;
use crate::testbed::lab::{Lab, Server};
use crate::testbed::pair::Pair;
use crate::testbed::socket::{Local, Refusal, bind_to, new_socket, set, source_address};
use crate::validate::{Ending, How, Measured, Squat, SquatterKind};

/// A local address that no client uses.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 100);

/// What keeps a squatter alive; nothing where what is left of it lives in the kernel only.
pub(super) type Squatter = Vec<OwnedFd>;

/// [`crate::validate::Experiment::Squat`].
pub(super) fn run(lab: &mut Lab<'_>, squat: &Squat) -> Result<Measured, Failure> {
    lab.serve(squat.to)?;
    let elsewhere = lab.serve_elsewhere()?;
    let ports: Vec<u16> = lab.ports().take(squat.count as usize).collect();
    let squatters: Vec<Squatter> = ports
        .iter()
        .map(|&port| sit(lab, squat.squatter, port, &elsewhere))
        .collect::<Result<_, _>>()?;
    let held = fill_all(lab, &squat.how, squat.to)?;
    drop(squatters);
    let taken: HashSet<u16> = held.ports.iter().flatten().copied().collect();
    let reused = ports.iter().filter(|port| taken.contains(port)).count();
    Ok(Measured::Squat {
        per_destination: held.counts(),
        squatted_ports_reused: u32::try_from(reused).expect("ports are few"),
        errors: held.errors,
    })
}

/// Takes a port in one of these ways for as long as what it gives is kept.
pub(super) fn sit(
    lab: &mut Lab<'_>,
    kind: SquatterKind,
    port: u16,
    elsewhere: &Server,
) -> Result<Squatter, Failure> {
    let v4 = |address| SockaddrIn::from(SocketAddrV4::new(address, port));
    let tcp = |address: &dyn SockaddrLike, how| bound(address, SockType::Stream, how);
    let (plain, reusing) = (false, true);
    Ok(vec![match kind {
        SquatterKind::ListenAny => listening(tcp(&v4(Ipv4Addr::UNSPECIFIED), plain)?)?,
        SquatterKind::ListenSource => listening(tcp(&v4(source_address(1)), plain)?)?,
        SquatterKind::ListenOther => listening(tcp(&v4(ELSEWHERE), plain)?)?,
        SquatterKind::ListenReuseAddressOther => listening(tcp(&v4(ELSEWHERE), reusing)?)?,
        SquatterKind::ListenV6Any => {
            let any = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0);
            listening(tcp(&SockaddrIn6::from(any), plain)?)?
        }
        SquatterKind::BoundOther => tcp(&v4(ELSEWHERE), plain)?,
        SquatterKind::Udp => bound(&v4(Ipv4Addr::UNSPECIFIED), SockType::Datagram, plain)?,
        SquatterKind::AcceptedChild => return accepted_child(lab, port),
        SquatterKind::BoundConnectTimeWait => {
            return bound_connect(elsewhere, port, Ending::Client);
        }
        SquatterKind::BoundConnectReset => return bound_connect(elsewhere, port, Ending::Reset),
    }])
}

fn bound(address: &dyn SockaddrLike, kind: SockType, reusing: bool) -> Result<OwnedFd, Failure> {
    let family = address.family().unwrap_or(AddressFamily::Inet);
    let fd = new_socket(family, kind, SockFlag::empty())?;
    if reusing {
        set(&fd, sockopt::ReuseAddr, &true, "SO_REUSEADDR")?;
    }
    bind_to(&fd, address).map_err(in_the_way)?;
    Ok(fd)
}

fn listening(fd: OwnedFd) -> Result<OwnedFd, Failure> {
    listen(&fd, Backlog::MAXCONN).map_err(|errno| failed("listening", errno))?;
    Ok(fd)
}

/// A connection that a listener on the port accepted before it closed. Its client has a port outside the
/// range.
fn accepted_child(lab: &mut Lab<'_>, port: u16) -> Result<Squatter, Failure> {
    let listener = Server::start(SocketAddrV4::new(source_address(1), port))?;
    let local = Local::Port(source_address(1), lab.spare_port()?);
    let Pair { client, server, .. } = listener.open(&How::default(), local)?.map_err(in_the_way)?;
    Ok(vec![client.into(), server.into()])
}

/// A connection to elsewhere from the port, closed again.
fn bound_connect(elsewhere: &Server, port: u16, close: Ending) -> Result<Squatter, Failure> {
    let local = Local::Port(source_address(1), port);
    let pair = elsewhere.open(&How::default(), local)?.map_err(in_the_way)?;
    pair.close(close)?;
    Ok(Vec::new())
}

/// Nothing else is in the namespace when squatters come, so they are not refused.
fn in_the_way(refusal: Refusal) -> Failure {
    Failure::System { doing: "setting up what sits on a port".to_owned(), why: refusal.to_string() }
}
