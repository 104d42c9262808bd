//! Server reflection, v1 and v1alpha.

use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_reflection::server::Builder;

use super::Error;
use super::close_streams::CloseStreams;

const NAMES: [&str; 2] = [
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// The descriptors of the services that every server has.
pub(super) const OWN_SETS: &[&[u8]] = &[
    lro_core::pb::FILE_DESCRIPTOR_SET,
    #[cfg(feature = "inspection")]
    lro_core::inspection::FILE_DESCRIPTOR_SET,
    tonic_health::pb::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
];

/// The descriptors of lro.v1.
const OPERATORS: &[&[u8]] = &[
    #[cfg(feature = "inspection")]
    lro_core::inspection::FILE_DESCRIPTOR_SET,
];

/// These descriptor sets, and that of lro.v1 if it is served: what HTTP reaches.
pub(super) fn reached_by_http(sets: &[&[u8]], services: &[&'static str]) -> Vec<Vec<u8>> {
    let is_served = services.iter().any(|it| it.starts_with("lro.v1."));
    let own = if is_served { OPERATORS } else { &[] };
    sets.iter().chain(own).map(|set| set.to_vec()).collect()
}

/// Adds both versions, for these services with these descriptors.
pub(super) fn add(
    routes: Routes,
    services: &mut Vec<&'static str>,
    descriptor_sets: &[&[u8]],
    closing: &CancellationToken,
) -> Result<Routes, Error> {
    if NAMES.iter().any(|name| services.contains(name)) {
        // The program has a reflection of its own.
        return Ok(routes);
    }
    let unreadable = |source| Error::new("cannot read a file descriptor set", source);
    let v1 = builder(services, descriptor_sets).build_v1();
    let v1alpha = builder(services, descriptor_sets).build_v1alpha();
    services.extend(NAMES);
    Ok(routes
        .add_service(CloseStreams::new(v1.map_err(unreadable)?, closing))
        .add_service(CloseStreams::new(v1alpha.map_err(unreadable)?, closing)))
}

fn builder<'a>(services: &[&'static str], descriptor_sets: &[&'a [u8]]) -> Builder<'a> {
    // The same files come with many sets: the first of a name stays.
    let sets = OWN_SETS.iter().chain(descriptor_sets);
    let builder = sets.fold(Builder::configure(), |builder, set| {
        builder.register_encoded_file_descriptor_set(set)
    });
    let services = services.iter().copied().chain(NAMES);
    services.fold(builder, Builder::with_service_name)
}
