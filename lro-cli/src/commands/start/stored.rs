//! A stored request in the user's editor, to be sent again.

use lro_json::WriteOptions;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use prost_types::Any;

use super::edit::Draft;
use super::{find, read};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Lets the user edit the request of the rpc at this path.
///
/// # Errors
///
/// When the method is not known, the editor fails, or what was saved is no request.
pub(in crate::commands) async fn edit_stored(
    context: &Context,
    path: &str,
    stored: Any,
) -> Result<Any, Failure> {
    let method = find(context, path).await?;
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::new(
            Exit::Fault,
            format!("the stored request cannot be read: {error}"),
        )
    };
    let request = DynamicMessage::decode(method.input(), &*stored.value);
    let request = request.map_err(|error| unreadable(&error))?;
    let written = WriteOptions::new()
        .types(context.types.pool())
        .pretty(true)
        .default_values(true)
        .write(&request);
    let json = written.map_err(|error| unreadable(&error))?.json;
    let unchanged = "to send the same request again, leave out --edit";
    let (draft, json) = Draft::edit(context, &method, &json, unchanged).await?;
    let request = read(context, &method.input(), &json).map_err(|failure| draft.keep(failure))?;
    Ok(Any {
        type_url: stored.type_url,
        value: request.encode_to_vec(),
    })
}
