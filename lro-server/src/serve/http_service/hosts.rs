//! The hosts that a server answers for: against DNS rebinding.

use http::Request;
use lro_core::LocalHosts;
use tokio::net::TcpListener;

/// The body of a refusal.
pub(super) const EXPLANATION: &str = "this server has no authorizer and listens on a loopback address, \
     so it answers for loopback hosts only; allow this host with Server::allow_host\n";

/// The names that requests may give as their host.
#[derive(Debug)]
pub(in crate::serve) enum Hosts {
    Any,
    Local(LocalHosts),
}

impl Hosts {
    /// Those of a server on this listener; `is_guarded` if an authorizer decides on its calls.
    pub(in crate::serve) fn of(
        listener: &TcpListener,
        is_guarded: bool,
        allowed: LocalHosts,
    ) -> Self {
        let address = listener.local_addr();
        let is_loopback = address.is_ok_and(|address| address.ip().to_canonical().is_loopback());
        if is_loopback && !is_guarded {
            Self::Local(allowed)
        } else {
            Self::Any
        }
    }

    /// Whether the request is for this server; otherwise the host that it names.
    pub(super) fn check<'r, B>(&self, request: &'r Request<B>) -> Result<(), &'r str> {
        match self {
            Self::Any => Ok(()),
            Self::Local(hosts) => hosts.check(request.uri(), request.headers()),
        }
    }
}
