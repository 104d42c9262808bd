//! How many connections there are, in all and from each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(super) struct Admission {
    max: usize,
    per_ip_max: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    /// Only addresses that have a connection.
    by_ip: HashMap<IpAddr, usize>,
}

impl Admission {
    pub(super) fn new(max: usize, per_ip_max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            per_ip_max,
            counts: Mutex::default(),
        })
    }

    /// Room for one more connection from this address, until it is dropped.
    pub(super) fn admit(self: &Arc<Self>, ip: IpAddr) -> Result<Admitted, Full> {
        let ip = network(ip);
        let mut counts = self.lock();
        let from_ip = counts.by_ip.get(&ip).copied().unwrap_or_default();
        if counts.all >= self.max {
            return Err(Full::All);
        }
        if from_ip >= self.per_ip_max {
            return Err(Full::Ip);
        }
        counts.all += 1;
        counts.by_ip.insert(ip, from_ip + 1);
        drop(counts);
        Ok(Admitted {
            admission: self.clone(),
            ip,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The limit that is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// Of all connections.
    All,
    /// Of those from one address.
    Ip,
}

impl Full {
    /// The field of [`ServeLimits`](super::ServeLimits).
    pub(super) const fn limit(self) -> &'static str {
        match self {
            Self::All => "max_connections",
            Self::Ip => "max_connections_per_ip",
        }
    }
}

/// One connection that counts.
#[derive(Debug)]
pub(super) struct Admitted {
    admission: Arc<Admission>,
    ip: IpAddr,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut counts = self.admission.lock();
        counts.all -= 1;
        if let Some(from_ip) = counts.by_ip.get_mut(&self.ip) {
            *from_ip -= 1;
            if *from_ip == 0 {
                counts.by_ip.remove(&self.ip);
            }
        }
    }
}

/// The network that counts as one address: the owner of one IPv6 address usually has 2^64 of them.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        ip @ IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_hold_and_places_are_released() {
        let admission = Admission::new(3, 2);
        let admit = |ip: &str| admission.admit(ip.parse().unwrap());
        let first = admit("10.0.0.1").unwrap();
        let _mapped = admit("::ffff:10.0.0.1").unwrap();
        assert_eq!(admit("10.0.0.1").unwrap_err(), Full::Ip);
        let _other = admit("2001:db8::1").unwrap();
        assert_eq!(admit("10.0.0.2").unwrap_err(), Full::All);
        drop(first);
        let _again = admit("10.0.0.1").unwrap();
        assert_eq!(admission.lock().by_ip.len(), 2);
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let admission = Admission::new(9, 1);
        let admit = |ip: &str| admission.admit(ip.parse().unwrap());
        let _one = admit("2001:db8:0:1::1").unwrap();
        assert!(admit("2001:db8:0:1:ffff::2").is_err());
        assert!(admit("2001:db8:0:2::1").is_ok());
    }
}
