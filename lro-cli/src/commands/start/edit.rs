//! `lro start --edit`: the request in the user's editor.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use prost_reflect::MethodDescriptor;

use super::{fields, template};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Lines that begin so are not part of the request.
const COMMENT: &str = "//";

/// A request under work. The file is removed with it, unless it is kept.
pub(super) struct Draft {
    path: PathBuf,
    kept: bool,
}

impl Draft {
    /// Opens the template of a request in the editor, and returns the JSON that was saved.
    ///
    /// # Errors
    ///
    /// When there is no editor, or it fails, or the request was left as it was.
    pub(super) async fn new(
        context: &Context,
        method: &MethodDescriptor,
    ) -> Result<(Self, Vec<u8>), Failure> {
        let unchanged = "to start it with defaults only, leave out --edit";
        Self::edit(context, method, &template(method)?, unchanged).await
    }

    /// The same with a request in place of the template, and with what to do instead of leaving it
    /// as it is.
    pub(super) async fn edit(
        context: &Context,
        method: &MethodDescriptor,
        json: &str,
        unchanged: &str,
    ) -> Result<(Self, Vec<u8>), Failure> {
        let variable = |name| context.environment.variable(name);
        let editor = variable("VISUAL")
            .or_else(|| variable("EDITOR"))
            .unwrap_or("vi");
        let words = shlex::split(editor).filter(|words| !words.is_empty());
        let words = words.ok_or_else(|| {
            Failure::usage(format!("`{editor}` (from VISUAL or EDITOR) is no command"))
        })?;
        let text = text(method, json);
        let draft = Self::write(&text)?;
        let fault = |error: &dyn std::fmt::Display| {
            Failure::new(
                Exit::Fault,
                format!("the editor `{}` failed: {error}", words[0]),
            )
            .advise("set EDITOR, or give the request with -d @FILE")
        };
        let status = tokio::process::Command::new(&words[0])
            .args(&words[1..])
            .arg(&draft.path)
            .status()
            .await
            .map_err(|error| fault(&error))?;
        if !status.success() {
            return Err(fault(&status));
        }
        let saved = std::fs::read_to_string(&draft.path).map_err(|error| fault(&error))?;
        if saved == text {
            return Err(
                Failure::usage("nothing was started: the request was left as it was")
                    .advise(unchanged),
            );
        }
        Ok((draft, without_comments(&saved).into_bytes()))
    }

    /// Keeps the file, for the user to correct what is wrong with it.
    pub(super) fn keep(mut self, failure: Failure) -> Failure {
        self.kept = true;
        let path = self.path.display();
        failure.advise(format!(
            "your request is in {path}: correct it, and give it with -d @{path}"
        ))
    }

    fn write(text: &str) -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("lro-{}.json", uuid::Uuid::new_v4()));
        let fault = |error: &std::io::Error| {
            Failure::new(
                Exit::Fault,
                format!("cannot write {}: {error}", path.display()),
            )
        };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // A request may hold secrets.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(|error| fault(&error))?;
        file.write_all(text.as_bytes())
            .map_err(|error| fault(&error))?;
        Ok(Self { path, kept: false })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            // A file in the folder for such files; the system clears it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The request below comments that tell the fields, their types, and what the proto says of them.
fn text(method: &MethodDescriptor, json: &str) -> String {
    let mut out = format!(
        "{COMMENT} {}: save and quit to start it.\n",
        method.full_name()
    );
    for line in fields::lines(method) {
        out.push_str(format!("{COMMENT} {line}").trim_end());
        out.push('\n');
    }
    out.push_str(json);
    out.push('\n');
    out
}

/// The saved text without the lines that are comments.
fn without_comments(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with(COMMENT));
    lines.collect::<Vec<_>>().join("\n")
}
