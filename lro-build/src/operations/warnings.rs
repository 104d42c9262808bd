//! Warnings about operation rpcs, and which of them are shown.

use super::Operations;
use crate::error::Problem;

/// An oddity of an rpc.
#[derive(Debug)]
pub(crate) struct Warning {
    pub(crate) problem: Problem,
    pub(super) package: String,
    /// Whether it is advice that changes nothing in the generated code.
    pub(super) is_style: bool,
}

impl Operations {
    /// The warnings as the user sees them: those about style for these packages only, with how to say
    /// so behind the first of them.
    pub(crate) fn shown(&self, style_packages: Option<&[String]>) -> Vec<String> {
        let is_wanted = |warning: &Warning| {
            let Some(packages) = style_packages.filter(|_| warning.is_style) else {
                return true;
            };
            packages.iter().any(|package| {
                let package = package.trim_matches('.');
                let rest = warning.package.strip_prefix(package);
                package.is_empty()
                    || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        };
        let mut shown = vec![];
        let mut explained = style_packages.is_some();
        for warning in self.warnings.iter().filter(|warning| is_wanted(warning)) {
            shown.push(warning.problem.to_string());
            if warning.is_style && !explained {
                shown.push(format!(
                    "(that is advice on style; `.style_warnings_for([\"{}\"])` in the build script \
                     keeps such advice to packages of your own, and an empty list switches it off)",
                    warning.package,
                ));
                explained = true;
            }
        }
        shown
    }
}
