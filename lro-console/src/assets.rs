//! Style sheet, script and icon: compiled in, named after their contents, kept by browsers for ever.

use std::sync::LazyLock;

use bytes::Bytes;
use flate2::Compression;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, Response};
use sha2::{Digest as _, Sha256};
use tonic::body::Body;

use crate::answer::{accepts_gzip, gzip, response};

/// A file of the console.
#[derive(Debug)]
pub(crate) struct Asset {
    /// With a hash of its contents, so that a new version has a new name.
    pub(crate) name: String,
    media_type: &'static str,
    plain: &'static [u8],
    packed: Bytes,
}

pub(crate) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let plain = include_bytes!("../assets/console.css");
    Asset::new("console", "css", "text/css; charset=utf-8", plain)
});

pub(crate) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let plain = include_bytes!("../assets/console.js");
    Asset::new("console", "js", "text/javascript; charset=utf-8", plain)
});

pub(crate) static ICON: LazyLock<Asset> = LazyLock::new(|| {
    let plain = include_bytes!("../assets/icon.svg");
    Asset::new("icon", "svg", "image/svg+xml", plain)
});

impl Asset {
    fn new(stem: &str, ending: &str, media_type: &'static str, plain: &'static [u8]) -> Self {
        let hash = Sha256::digest(plain);
        let hash: String = hash[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            name: format!("{stem}.{hash}.{ending}"),
            media_type,
            plain,
            packed: gzip(plain, Compression::best()).into(),
        }
    }

    /// A relative link to it.
    pub(crate) fn link(&self) -> String {
        format!("./{}", self.name)
    }
}

/// The asset of this name.
pub(crate) fn serve(name: &str, request: &HeaderMap) -> Option<Response<Body>> {
    let all: [&Asset; 3] = [&STYLE, &SCRIPT, &ICON];
    let asset = all.into_iter().find(|asset| asset.name == name)?;
    let packed = accepts_gzip(request).then(|| asset.packed.clone());
    let plain = Bytes::from_static(asset.plain);
    let mut response = response(asset.media_type, plain, packed);
    let immutable = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(CACHE_CONTROL, immutable);
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_small() {
        assert!(STYLE.packed.len() <= 8 * 1024, "{}", STYLE.packed.len());
        assert!(SCRIPT.packed.len() <= 12 * 1024, "{}", SCRIPT.packed.len());
        let lines = SCRIPT.plain.split(|byte| *byte == b'\n').count();
        assert!(lines < 900, "{lines}");
    }
}
