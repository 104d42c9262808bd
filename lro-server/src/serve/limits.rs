use std::time::Duration;

use crate::setters::setters;

/// The limits of a served [`Server`](super::Server), each with its default.
///
/// ```
/// use std::time::Duration;
/// use lro_server::serve::ServeLimits;
///
/// let limits = ServeLimits::default().shutdown_timeout(Duration::from_secs(10));
/// assert_eq!(limits.max_concurrent_streams, 256);
/// ```
///
/// `Duration::MAX` disables a timeout.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ServeLimits {
    /// The maximum number of calls in flight on one connection: 256. Clients queue further calls
    /// themselves.
    pub max_concurrent_streams: u32,
    /// The largest incoming message, in bytes: 4 MiB. Larger ones are RESOURCE_EXHAUSTED.
    ///
    /// Every generated tonic service has a limit of 4 MiB of its own, so a larger value also needs
    /// the service's `max_decoding_message_size`.
    pub max_decode_len: usize,
    /// The largest outgoing message, in bytes: 4 MiB. Larger ones are RESOURCE_EXHAUSTED.
    pub max_encode_len: usize,
    /// The largest list of headers, in bytes as HTTP/2 counts them: 16 KiB.
    pub max_header_list_len: u32,
    /// The maximum number of bytes buffered for a slow reader, for each call: 64 KiB.
    pub max_send_buffer_len: usize,
    /// The maximum number of connections: 10,000. The server closes further ones immediately.
    pub max_connections: usize,
    /// The maximum number of connections from one address: 1,000. Of IPv6 addresses, the first 64
    /// bits count.
    ///
    /// Behind a proxy that hides its clients, all connections come from one address.
    pub max_connections_per_ip: usize,
    /// The maximum time until a connection sends its first bytes, after the TLS handshake if there
    /// is one: 10 s.
    pub first_bytes_timeout: Duration,
    /// How long a connection may take for the TLS handshake: 10 s.
    pub tls_handshake_timeout: Duration,
    /// How long an HTTP/1.1 connection may take for the head of its next request: 75 s, the time
    /// between two requests included. For a server with an [HTTP service](super::Server::http).
    pub request_head_timeout: Duration,
    /// How long the body of an HTTP request may take to arrive: 60 s.
    pub request_body_timeout: Duration,
    /// How long a connection may be idle before the server sends a keep-alive ping: 30 s.
    pub keep_alive_interval: Duration,
    /// How long the peer may take to answer the ping: 20 s.
    pub keep_alive_timeout: Duration,
    /// The maximum age of a connection: 30 min. Then the server sends GOAWAY, so that the client
    /// opens another; calls in flight finish.
    pub max_connection_age: Duration,
    /// The jitter of `max_connection_age`, as a fraction in both directions: 0.1. It spreads the
    /// reconnects of clients that connected together.
    pub connection_age_jitter: f64,
    /// The interval of the store's health checks: 5 s.
    pub health_interval: Duration,
    /// How long the store may take to answer a health check: 2 s.
    pub health_timeout: Duration,
    /// The time that calls and operations have to finish after a shutdown begins: 25 s, which
    /// leaves time within the 30 s of Kubernetes. Then the server closes the connections, and the
    /// workers release their operations for other workers.
    pub shutdown_timeout: Duration,
}

setters!(ServeLimits {
    max_concurrent_streams: u32,
    max_decode_len: usize,
    max_encode_len: usize,
    max_header_list_len: u32,
    max_send_buffer_len: usize,
    max_connections: usize,
    max_connections_per_ip: usize,
    first_bytes_timeout: Duration,
    tls_handshake_timeout: Duration,
    request_head_timeout: Duration,
    request_body_timeout: Duration,
    keep_alive_interval: Duration,
    keep_alive_timeout: Duration,
    max_connection_age: Duration,
    connection_age_jitter: f64,
    health_interval: Duration,
    health_timeout: Duration,
    shutdown_timeout: Duration,
});

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 256,
            max_decode_len: 4 * 1024 * 1024,
            max_encode_len: 4 * 1024 * 1024,
            max_header_list_len: 16 * 1024,
            max_send_buffer_len: 64 * 1024,
            max_connections: 10_000,
            max_connections_per_ip: 1_000,
            first_bytes_timeout: Duration::from_secs(10),
            tls_handshake_timeout: Duration::from_secs(10),
            request_head_timeout: Duration::from_secs(75),
            request_body_timeout: Duration::from_secs(60),
            keep_alive_interval: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(20),
            max_connection_age: Duration::from_secs(30 * 60),
            connection_age_jitter: 0.1,
            health_interval: Duration::from_secs(5),
            health_timeout: Duration::from_secs(2),
            shutdown_timeout: Duration::from_secs(25),
        }
    }
}

impl ServeLimits {
    /// How old one connection becomes; `random` is in 0..=1.
    pub(super) fn connection_age(&self, random: f64) -> Duration {
        let jitter = match self.connection_age_jitter {
            jitter if jitter.is_finite() => jitter.clamp(0.0, 1.0),
            _ => 0.0,
        };
        let factor = 1.0 + jitter * (2.0 * random - 1.0);
        let seconds = self.max_connection_age.as_secs_f64() * factor;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_differ_around_the_limit() {
        let limits = ServeLimits::default().max_connection_age(Duration::from_secs(100));
        let age = |limits: &ServeLimits, random| limits.connection_age(random).as_secs();
        assert_eq!([0.0, 0.5, 1.0].map(|it| age(&limits, it)), [90, 100, 110]);
        let odd = limits.clone().connection_age_jitter(f64::NAN);
        assert_eq!(age(&odd, 0.0), 100);
        let never = limits.max_connection_age(Duration::MAX);
        assert_eq!(never.connection_age(1.0), Duration::MAX);
    }
}
