//! The responses that the AIPs expect of standard methods.

use prost_reflect::MessageDescriptor;

const EMPTY: &str = "google.protobuf.Empty";

/// The standard methods whose operations respond with their resource, and what says so.
const STANDARD: [(&str, &str); 4] = [
    ("Create", "AIP-133"),
    ("Update", "AIP-134"),
    ("Delete", "AIP-135"),
    ("Undelete", "AIP-164"),
];

/// The advice for an rpc with the name of a standard method and another response.
pub(super) fn response_advice(rpc: &str, response: &MessageDescriptor) -> Option<String> {
    let (verb, aip, resource) = STANDARD.into_iter().find_map(|(verb, aip)| {
        let resource = rpc.strip_prefix(verb)?;
        let is_noun = resource.starts_with(|c: char| c.is_ascii_uppercase());
        is_noun.then_some((verb, aip, resource))
    })?;
    let deletes = verb == "Delete";
    if response.name() == resource || deletes && response.full_name() == EMPTY {
        return None;
    }
    let advice = if deletes {
        format!("write \"{EMPTY}\", or \"{resource}\" if it can be undeleted")
    } else {
        format!("write \"{resource}\"")
    };
    Some(format!(
        "response_type \"{}\" is not the resource, which {aip} wants of `{verb}`; {advice}",
        response.full_name(),
    ))
}
