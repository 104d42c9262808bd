//! The seam for the inspection service of a server, which no server has yet.
//!
//! The standard tells neither the method of an operation nor its attempts, holder or caller. A
//! service of its own will; the command will find it by reflection, and this module is where it
//! asks. Until then the commands that need it say so.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// The name by which reflection will show the service.
const SERVICE: &str = "lro.v1.Inspection";

/// The failure of a command that needs the service.
pub(crate) fn missing(context: &Context, command: &str) -> Failure {
    let advice = match command {
        "resubmit" => "start it again with `lro start METHOD -d @request.json`",
        _ => "`lro doctor` shows what this server offers",
    };
    Failure::new(
        Exit::Unimplemented,
        format!("`lro {command}` needs the service {SERVICE}, which the server does not offer"),
    )
    .advise(advice)
    .server(&context.server())
}
