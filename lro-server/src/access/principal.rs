use std::collections::BTreeSet;
use std::fmt;

use tonic::Extensions;

/// An authenticated caller, as returned by
/// [`Authorizer::authenticate`](super::Authorizer::authenticate).
///
/// ```
/// use lro_server::access::Principal;
///
/// #[derive(Clone)]
/// struct Team(&'static str);
///
/// let principal = Principal::new("users/ada").with(Team("search"));
/// assert_eq!(principal.name(), "users/ada");
/// assert_eq!(principal.get::<Team>().map(|team| team.0), Some("search"));
/// assert!(principal.scopes().is_none());
/// ```
#[derive(Clone, Default)]
pub struct Principal {
    name: String,
    scopes: Option<BTreeSet<String>>,
    attributes: Extensions,
}

impl Principal {
    /// A principal with this name, which is stored with the operations that it starts.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Adds the OAuth scopes of its token. Services that [require
    /// scopes](crate::ServiceSettings::scopes) deny principals without scopes.
    #[must_use]
    pub fn with_scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes = Some(scopes.into_iter().map(Into::into).collect());
        self
    }

    /// Adds another fact about the caller, for `authorize`: one value of each type.
    #[must_use]
    pub fn with<T: Clone + Send + Sync + 'static>(mut self, attribute: T) -> Self {
        self.attributes.insert(attribute);
        self
    }

    /// The name of the principal; empty if anonymous.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The OAuth scopes of its token.
    pub fn scopes(&self) -> Option<&BTreeSet<String>> {
        self.scopes.as_ref()
    }

    /// An additional fact about the caller, by its type.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.attributes.get()
    }
}

/// Shows the name and the scopes. Attributes may be secret.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("name", &self.name)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}
