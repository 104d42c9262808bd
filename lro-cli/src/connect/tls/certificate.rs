//! The names and the end of a certificate. rustls has checked it; this is for people.

use std::net::IpAddr;

use lro_core::Timestamp;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::connect::dial::Certificate;

/// Reads a certificate in DER. `None` if it is none, or in an unusual form.
pub(super) fn read(der: &[u8]) -> Option<Certificate> {
    let certificate = x509_cert::Certificate::from_der(der).ok()?.tbs_certificate;
    let expires = certificate.validity.not_after.to_unix_duration();
    let names = certificate.get::<SubjectAltName>().ok().flatten();
    let names = names.map_or_else(Vec::new, |(_, names)| names.0);
    Some(Certificate {
        names: names.iter().filter_map(name).collect(),
        expires: Timestamp::from_micros(i64::try_from(expires.as_micros()).ok()?),
    })
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(address) => {
            let bytes = address.as_bytes();
            let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
            address.ok().map(|it| it.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    #[test]
    fn names_addresses_and_the_end_are_read() {
        let names = ["*.example.com", "localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let mut params = CertificateParams::new(names.to_vec()).unwrap();
        params.not_after = rcgen::date_time_ymd(2031, 2, 3);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let read = read(certificate.der()).unwrap();
        assert_eq!(read.names, names);
        assert_eq!(read.expires.as_micros(), 1_927_843_200_000_000);
        assert_eq!(super::read(b"no certificate"), None);
    }
}
