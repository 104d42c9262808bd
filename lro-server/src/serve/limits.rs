use std::time::Duration;

/// The limits of a served [`Server`](super::Server), each with its default.
///
/// ```
/// use std::time::Duration;
/// use lro_server::serve::ServeLimits;
///
/// let limits = ServeLimits {
///     shutdown_timeout: Duration::from_secs(10),
///     ..ServeLimits::default()
/// };
/// assert_eq!(limits.max_concurrent_streams, 256);
/// ```
///
/// Durations may be as long as they like: `Duration::MAX` is never.
#[derive(Clone, Debug, PartialEq)]
pub struct ServeLimits {
    /// How many calls one connection has under way: 256. Callers queue the others themselves.
    pub max_concurrent_streams: u32,
    /// The largest message that comes in, in bytes: 4 MiB. Larger ones are RESOURCE_EXHAUSTED.
    ///
    /// tonic has a limit of its own of 4 MiB in every generated service, so that more also needs
    /// the service's `max_decoding_message_size`.
    pub max_decode_len: usize,
    /// The largest message that goes out, in bytes: 4 MiB. Larger ones are RESOURCE_EXHAUSTED.
    pub max_encode_len: usize,
    /// The largest list of headers, in bytes as HTTP/2 counts them: 16 KiB.
    pub max_header_list_len: u32,
    /// How many bytes of answers wait for one slow reader, for each call: 64 KiB.
    pub max_send_buffer_len: usize,
    /// How many connections there are at a time: 10,000. The next ones are closed at once.
    pub max_connections: usize,
    /// How many of them come from one address: 1,000. Of IPv6 addresses, the first 64 bits count.
    ///
    /// Behind a proxy that hides its callers, all come from one address.
    pub max_connections_per_ip: usize,
    /// How long a connection may take to say its first words: 10 s. After TLS, if there is any.
    pub first_bytes_timeout: Duration,
    /// How long a connection may take for the TLS handshake: 10 s.
    pub tls_handshake_timeout: Duration,
    /// How long an HTTP/1.1 connection may take for the head of its next request: 75 s, the time
    /// between two requests included. For a server with an [HTTP service](super::Server::http).
    pub request_head_timeout: Duration,
    /// How long the body of an HTTP request may take to arrive: 60 s.
    pub request_body_timeout: Duration,
    /// How long a connection may be silent before it is asked whether it is still there: 30 s.
    pub keep_alive_interval: Duration,
    /// How long it may take to answer that: 20 s.
    pub keep_alive_timeout: Duration,
    /// The maximum age of a connection: 30 min. Then the server sends GOAWAY, so that the client
    /// opens another; calls in flight finish.
    pub max_connection_age: Duration,
    /// By which part of it the age of each connection differs, to either side: 0.1. So that the
    /// connections that came together do not go together.
    pub connection_age_jitter: f64,
    /// How often the store is asked whether it is there: every 5 s.
    pub health_interval: Duration,
    /// How long it may take to answer that: 2 s.
    pub health_timeout: Duration,
    /// The time that calls and operations have to finish after a shutdown begins: 25 s, which
    /// leaves time within the 30 s of Kubernetes. Then the server closes the connections, and the
    /// workers release their operations for other workers.
    pub shutdown_timeout: Duration,
}

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
        let limits = ServeLimits {
            max_connection_age: Duration::from_secs(100),
            ..ServeLimits::default()
        };
        let age = |limits: &ServeLimits, random| limits.connection_age(random).as_secs();
        assert_eq!([0.0, 0.5, 1.0].map(|it| age(&limits, it)), [90, 100, 110]);
        let odd = ServeLimits {
            connection_age_jitter: f64::NAN,
            ..limits.clone()
        };
        assert_eq!(age(&odd, 0.0), 100);
        let never = ServeLimits {
            max_connection_age: Duration::MAX,
            ..limits
        };
        assert_eq!(never.connection_age(1.0), Duration::MAX);
    }
}
