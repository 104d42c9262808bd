//! Headers of HTTP as metadata of gRPC, and back.

use std::time::Duration;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::{CONNECTION, TE, TRAILER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use tonic::metadata::MetadataMap;

use crate::body::Body;
use crate::fault::Fault;

/// Padding is optional in binary metadata.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Headers of one connection or of the HTTP message, which no rpc sees.
const NOT_FORWARDED: &[&str] = &[
    "connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "keep-alive",
    "host",
    "expect",
    "accept-encoding",
    "http2-settings",
    "x-http-method-override",
    "x-server-timeout",
    "x-goog-fieldmask",
];

/// The prefix that clients of another gateway give metadata.
const METADATA_PREFIX: &str = "grpc-metadata-";

/// The metadata of the rpc.
pub(crate) fn to_metadata(headers: &HeaderMap) -> Result<HeaderMap, Fault> {
    let hops: Vec<String> = (headers.get_all(CONNECTION).iter())
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let mut metadata = HeaderMap::new();
    for (name, value) in headers {
        if hops.iter().any(|hop| hop == name.as_str()) {
            continue;
        }
        let stripped = name.as_str().strip_prefix(METADATA_PREFIX);
        let name = match stripped.map(|stripped| HeaderName::from_bytes(stripped.as_bytes())) {
            Some(Ok(stripped)) => stripped,
            Some(Err(_)) => continue,
            None => name.clone(),
        };
        if !is_forwarded(name.as_str()) {
            continue;
        }
        let is_printable = value
            .as_bytes()
            .iter()
            .all(|byte| (0x20..=0x7e).contains(byte));
        if !is_printable {
            tracing::debug!(%name, "dropped a header with characters outside of ASCII");
            continue;
        }
        if name.as_str().ends_with("-bin") {
            check_binary(&name, value)?;
        }
        metadata.append(name, value.clone());
    }
    Ok(metadata)
}

/// The metadata of the rpc as tonic has it, with the API key of the query.
pub(crate) fn to_call_metadata(
    headers: &HeaderMap,
    api_key: Option<&str>,
) -> Result<MetadataMap, Fault> {
    let mut metadata = to_metadata(headers)?;
    if let Some(Ok(key)) = api_key.map(HeaderValue::from_str) {
        metadata.entry("x-goog-api-key").or_insert(key);
    }
    Ok(MetadataMap::from_headers(metadata))
}

fn is_forwarded(name: &str) -> bool {
    let prefixes = ["proxy-", "content-", "grpc-", "sec-fetch-"];
    !NOT_FORWARDED.contains(&name) && !prefixes.iter().any(|prefix| name.starts_with(prefix))
}

fn check_binary(name: &HeaderName, value: &HeaderValue) -> Result<(), Fault> {
    let valid = (value.as_bytes().split(|byte| *byte == b','))
        .all(|part| LENIENT.decode(part.trim_ascii()).is_ok());
    if valid {
        Ok(())
    } else {
        Err(Fault::field(
            name.as_str(),
            "expected base64, as of every header that ends in -bin",
        ))
    }
}

/// Puts the metadata of a response into its headers.
pub(crate) fn from_metadata(metadata: HeaderMap, headers: &mut HeaderMap) {
    let mut last = None;
    for (name, value) in metadata {
        // The name is given once for all of its values.
        last = name.or(last);
        let Some(name) = &last else { continue };
        let forwarded =
            is_forwarded(name.as_str()) && !matches!(name.as_str(), "set-cookie" | "user-agent");
        if forwarded {
            headers.append(name.clone(), value);
        }
    }
}

/// Whether the client takes trailers: `TE: trailers`.
pub(crate) fn takes_trailers(request: &HeaderMap) -> bool {
    (request.get_all(TE).iter())
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

/// Trailing metadata as trailers, without the headers of the transport.
pub(crate) fn to_trailers(metadata: MetadataMap) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    from_metadata(metadata.into_headers(), &mut trailers);
    trailers
}

/// Puts trailers behind the body, for a client that takes them.
pub(crate) fn with_trailers(response: Response<Body>, trailers: HeaderMap) -> Response<Body> {
    let has_body = !matches!(
        response.status(),
        StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT
    );
    if trailers.is_empty() || !has_body {
        return response;
    }
    let names: Vec<&str> = trailers.keys().map(HeaderName::as_str).collect();
    let names = HeaderValue::from_str(&names.join(", "));
    let mut response = response.map(|body| body.with_trailers(trailers));
    // HTTP/1.1 sends the trailers that it has announced.
    if let Ok(names) = names {
        response.headers_mut().insert(TRAILER, names);
    }
    response
}

/// The deadline of the call: the smallest that the headers and the server say.
pub(crate) fn deadline(
    headers: &HeaderMap,
    max: Option<Duration>,
) -> Result<Option<Duration>, Fault> {
    let grpc = match headers.get("grpc-timeout") {
        Some(value) => Some(grpc_timeout(value).ok_or_else(|| {
            Fault::field(
                "grpc-timeout",
                "expected at most eight digits and one of the units H, M, S, m, u, n",
            )
        })?),
        None => None,
    };
    let server =
        match headers.get("x-server-timeout") {
            Some(value) => Some(seconds(value).ok_or_else(|| {
                Fault::field("x-server-timeout", "expected seconds, such as `2.5`")
            })?),
            None => None,
        };
    Ok([grpc, server, max].into_iter().flatten().min())
}

fn grpc_timeout(value: &HeaderValue) -> Option<Duration> {
    let value = value.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let is_number =
        (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = is_number.then(|| digits.parse().ok())??;
    Some(match unit {
        "H" => Duration::from_secs(number * 3_600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

fn seconds(value: &HeaderValue) -> Option<Duration> {
    let value = value.to_str().ok()?;
    let is_decimal = value
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds: f64 = is_decimal.then(|| value.parse().ok())??;
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
        }
        headers
    }

    /// gateway:123
    #[test]
    fn the_smallest_deadline_holds() {
        let max = Some(Duration::from_secs(60));
        let of = |pairs: &[(&str, &str)]| deadline(&headers(pairs), max);
        assert_eq!(of(&[]).unwrap(), max);
        assert_eq!(
            of(&[("grpc-timeout", "5S")]).unwrap(),
            Some(Duration::from_secs(5))
        );
        let both = [("grpc-timeout", "5S"), ("x-server-timeout", "2.5")];
        assert_eq!(of(&both).unwrap(), Some(Duration::from_millis(2_500)));
        for value in ["", "S", "5", "5x", "123456789S", "-1S", "1.5S", "5é"] {
            let mut headers = HeaderMap::new();
            headers.insert(
                "grpc-timeout",
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
            assert!(deadline(&headers, max).is_err(), "{value}");
        }
        assert_eq!(of(&[("x-server-timeout", &"9".repeat(400))]).unwrap(), max);
        for value in ["", "x", "-1", "1e3", "inf", "1.2.3", "."] {
            assert!(of(&[("x-server-timeout", value)]).is_err(), "{value}");
        }
    }

    /// gateway:116 gateway:117 gateway:118
    #[test]
    fn hop_by_hop_headers_are_not_forwarded() {
        let metadata = to_metadata(&headers(&[
            ("connection", "x-hop, close"),
            ("x-hop", "1"),
            ("grpc-status", "0"),
            ("grpc-metadata-tenant", "t"),
            ("grpc-metadata-grpc-status", "0"),
            ("content-type", "application/json"),
            ("x-a", "1"),
            ("x-a", "2"),
        ]))
        .unwrap();
        let pairs: Vec<_> = metadata
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        assert_eq!(pairs, [("tenant", "t"), ("x-a", "1"), ("x-a", "2")]);
    }

    /// gateway:122
    #[test]
    fn metadata_of_a_response_becomes_headers_but_those_of_the_transport() {
        let mut answer = HeaderMap::new();
        from_metadata(
            headers(&[
                ("x-a", "1"),
                ("x-a", "2"),
                ("x-blob-bin", "AQI"),
                ("access-control-allow-origin", "*"),
                ("content-type", "application/grpc"),
                ("grpc-status", "0"),
                ("grpc-status-details-bin", "AA"),
                ("set-cookie", "a=b"),
                ("connection", "close"),
                ("transfer-encoding", "chunked"),
            ]),
            &mut answer,
        );
        let pairs: Vec<_> = answer
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        assert_eq!(
            pairs,
            [
                ("x-a", "1"),
                ("x-a", "2"),
                ("x-blob-bin", "AQI"),
                ("access-control-allow-origin", "*"),
            ]
        );
    }
}
