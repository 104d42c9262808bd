use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use lro_core::{Clock, OperationName, ParentName, SystemClock};

use super::BuildError;
use super::claims::Claims;
use super::{Fault, Grants, JwtAuthorizer, JwtKeys};

/// How many parents one token may have.
const PARENTS_MAX: usize = 256;

/// Configures a [`JwtAuthorizer`].
///
/// ```
/// use std::time::Duration;
/// use lro_server::access::jwt::{JwtAuthorizer, JwtKeys};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = JwtAuthorizer::builder("https://issuer.example", "exporter.example", JwtKeys::new())
///     .parent("users/{sub}")
///     .grant(["exporter.operations.get"])
///     .leeway(Duration::from_secs(10));
/// let authorizer = builder.build()?;
/// # drop(authorizer);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use]
pub struct JwtAuthorizerBuilder {
    settings: Settings,
    templates: Vec<String>,
    keys: JwtKeys,
}

#[derive(Debug)]
pub(super) struct Settings {
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) principal_claim: String,
    leeway: Duration,
    clock: Arc<dyn Clock>,
    permissions: Vec<String>,
    permissions_claim: Option<String>,
    scope_permissions: BTreeMap<String, Vec<String>>,
    parents: Vec<Template>,
    any_parent: bool,
}

impl JwtAuthorizerBuilder {
    /// The default of [`leeway`](Self::leeway): 30 s.
    pub const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);

    /// The longest leeway: 60 s.
    pub const MAX_LEEWAY: Duration = Duration::from_secs(60);

    pub(super) fn new(issuer: String, audience: String, keys: JwtKeys) -> Self {
        let settings = Settings {
            issuer,
            audience,
            algorithms: vec![Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA],
            principal_claim: "sub".to_owned(),
            leeway: Self::DEFAULT_LEEWAY,
            clock: Arc::new(SystemClock),
            permissions: Vec::new(),
            permissions_claim: None,
            scope_permissions: BTreeMap::new(),
            parents: Vec::new(),
            any_parent: false,
        };
        Self {
            settings,
            templates: Vec::new(),
            keys,
        }
    }

    /// Sets the allowed algorithms. Default: RS256, ES256 and EdDSA. `none` is never allowed.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.settings.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Sets the tolerated difference to the issuer's clock, at most
    /// [`LEEWAY_MAX`](Self::MAX_LEEWAY).
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.settings.leeway = leeway.min(Self::MAX_LEEWAY);
        self
    }

    /// Sets the claim that names the principal. Default: `sub`.
    pub fn principal_claim(mut self, claim: impl Into<String>) -> Self {
        self.settings.principal_claim = claim.into();
        self
    }

    /// Adds a parent whose operations, and those further below, the token may use: a path with
    /// claims, such as `users/{sub}`. A claim fills one segment. A claim with several texts gives
    /// several parents; a missing claim, or one that is not a valid segment, gives none.
    pub fn parent(mut self, template: impl Into<String>) -> Self {
        self.templates.push(template.into());
        self
    }

    /// Allows all parents.
    pub fn any_parent(mut self) -> Self {
        self.settings.any_parent = true;
        self
    }

    /// Grants permissions below its parents to every valid token. `exporter.operations.*` stands for
    /// all permissions with this prefix.
    pub fn grant(mut self, permissions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let permissions = permissions.into_iter().map(Into::into);
        self.settings.permissions.extend(permissions);
        self
    }

    /// Grants permissions below its parents to tokens with this scope.
    pub fn grant_scope(
        mut self,
        scope: impl Into<String>,
        permissions: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let permissions = permissions.into_iter().map(Into::into);
        let granted = self.settings.scope_permissions.entry(scope.into());
        granted.or_default().extend(permissions);
        self
    }

    /// Sets the claim that lists permissions, as one text with spaces or as several texts. Default:
    /// none.
    pub fn permissions_claim(mut self, claim: impl Into<String>) -> Self {
        self.settings.permissions_claim = Some(claim.into());
        self
    }

    /// The clock that the times in tokens are compared with.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.clock = clock;
        self
    }

    /// The authorizer.
    ///
    /// # Errors
    ///
    /// If no algorithm is allowed, or a template of a parent is invalid.
    pub fn build(mut self) -> Result<JwtAuthorizer, BuildError> {
        if self.settings.algorithms.is_empty() {
            return Err(BuildError::new("no algorithm is allowed"));
        }
        for template in &self.templates {
            let parsed = Template::parse(template);
            let parsed = parsed.ok_or_else(|| {
                BuildError::new(format!("`{template}` is no path like `users/{{sub}}`"))
            })?;
            self.settings.parents.push(parsed);
        }
        Ok(JwtAuthorizer::new(self.settings, self.keys))
    }
}

impl Settings {
    pub(super) fn check(&self, claims: &Claims) -> Result<(), Fault> {
        if claims.text("iss") != Some(&self.issuer) {
            return Err(Fault::Issuer);
        }
        if !claims.texts("aud").contains(&self.audience) {
            return Err(Fault::Audience);
        }
        let now = self.clock.now().as_micros() as f64 / 1e6;
        let leeway = self.leeway.as_secs_f64();
        match claims.time("exp") {
            Ok(Some(end)) if now < end + leeway => {}
            _ => return Err(Fault::Expired),
        }
        match claims.time("nbf") {
            Ok(None) => Ok(()),
            Ok(Some(begin)) if now + leeway >= begin => Ok(()),
            _ => Err(Fault::Early),
        }
    }

    pub(super) fn grants(&self, claims: &Claims, scopes: &BTreeSet<String>) -> Grants {
        let by_scope = scopes
            .iter()
            .filter_map(|it| self.scope_permissions.get(it));
        let by_claim = self.permissions_claim.iter();
        let by_claim = by_claim.flat_map(|claim| claims.words(claim));
        let permissions = self.permissions.iter().chain(by_scope.flatten());
        Grants {
            permissions: permissions
                .cloned()
                .chain(by_claim.map(str::to_owned))
                .collect(),
            parents: self
                .parents
                .iter()
                .flat_map(|template| template.fill(claims))
                .take(PARENTS_MAX)
                .collect(),
            any_parent: self.any_parent,
        }
    }
}

/// A path with claims in it.
#[derive(Debug)]
struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Segment(String),
    Claim(String),
}

impl Template {
    fn parse(text: &str) -> Option<Self> {
        let part = |text: &str| {
            let claim = text.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
            let braces = |text: &str| text.contains(['{', '}']);
            match claim {
                Some(claim) if claim.is_empty() || braces(claim) => None,
                Some(claim) => Some(Part::Claim(claim.to_owned())),
                None if braces(text) || !is_segment(text) => None,
                None => Some(Part::Segment(text.to_owned())),
            }
        };
        text.split('/').map(part).collect::<Option<_>>().map(Self)
    }

    fn fill(&self, claims: &Claims) -> Vec<String> {
        let mut filled = vec![String::new()];
        for part in &self.0 {
            let values = match part {
                Part::Segment(text) => std::slice::from_ref(text),
                Part::Claim(claim) => claims.texts(claim),
            };
            let values = values.iter().filter(|value| is_segment(value));
            let values: Vec<_> = values.take(PARENTS_MAX).collect();
            let longer = filled.iter().flat_map(|start| {
                values.iter().map(move |value| match &**start {
                    "" => (*value).clone(),
                    start => format!("{start}/{value}"),
                })
            });
            filled = longer.take(PARENTS_MAX).collect();
        }
        filled
    }
}

/// Whether the text is one segment of a name, as the id of an operation has to be.
fn is_segment(text: &str) -> bool {
    OperationName::new(&ParentName::default(), text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_fills_one_segment_and_no_wildcard() {
        let template = Template::parse("users/{sub}").unwrap();
        for (sub, parents) in [
            (r#""ada""#, &["users/ada"] as &[_]),
            (r#"["ada", "bob"]"#, &["users/ada", "users/bob"]),
            (r#"["ada", "-"]"#, &["users/ada"]),
            (r#""""#, &[]),
            (r#""-""#, &[]),
            (r#""*""#, &[]),
            (r#""..""#, &[]),
            (r#""a/b""#, &[]),
            (r#""a b""#, &[]),
            ("7", &[]),
            ("null", &[]),
        ] {
            let claims = claims(&format!(r#"{{"sub": {sub}}}"#));
            assert_eq!(template.fill(&claims), parents, "{sub}");
        }
        assert_eq!(template.fill(&claims("{}")), [""; 0]);
    }

    #[test]
    fn invalid_templates_are_rejected() {
        for text in [
            "",
            "users/",
            "users/{}",
            "users/{sub",
            "users/x{sub}",
            "users/*",
            "/",
        ] {
            assert!(Template::parse(text).is_none(), "{text}");
            let builder = JwtAuthorizer::builder("i", "a", JwtKeys::new());
            assert!(builder.parent(text).build().is_err(), "{text}");
        }
        let builder = JwtAuthorizer::builder("i", "a", JwtKeys::new());
        assert!(builder.algorithms([]).build().is_err());
    }

    fn claims(json: &str) -> Claims {
        use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
        let payload = BASE64_URL_SAFE_NO_PAD.encode(json);
        let header = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
        let token = format!("{header}.{payload}.");
        jsonwebtoken::dangerous::insecure_decode_claims(token).unwrap()
    }
}
