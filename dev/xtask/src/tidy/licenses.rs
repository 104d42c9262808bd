//! SPDX licence expressions, as far as crates use them.

/// A licence expression.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expression {
    One(String),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Expression {
    /// `MIT OR Apache-2.0`, `(A OR B) AND C`, `A WITH exception`; old crates write `A/B` for `OR`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text
            .replace('/', " OR ")
            .replace('(', " ( ")
            .replace(')', " ) ");
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut words = &words[..];
        let expression = any(&mut words)?;
        words.is_empty().then_some(expression)
    }

    /// Whether it can be met by licences that are allowed.
    pub(super) fn is_met(&self, allowed: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::One(license) => allowed(license),
            Self::All(parts) => parts.iter().all(|part| part.is_met(allowed)),
            Self::Any(parts) => parts.iter().any(|part| part.is_met(allowed)),
        }
    }
}

fn any(words: &mut &[&str]) -> Option<Expression> {
    Some(Expression::Any(separated(words, "OR", all)?))
}

fn all(words: &mut &[&str]) -> Option<Expression> {
    Some(Expression::All(separated(words, "AND", one)?))
}

fn one(words: &mut &[&str]) -> Option<Expression> {
    let (first, rest) = words.split_first()?;
    *words = rest;
    match *first {
        "(" => {
            let inner = any(words)?;
            eat(words, ")").then_some(inner)
        }
        ")" | "OR" | "AND" | "WITH" => None,
        license if eat(words, "WITH") => {
            let (exception, rest) = words.split_first()?;
            *words = rest;
            Some(Expression::One(format!("{license} WITH {exception}")))
        }
        license => Some(Expression::One(license.to_owned())),
    }
}

fn separated(
    words: &mut &[&str],
    separator: &str,
    part: fn(&mut &[&str]) -> Option<Expression>,
) -> Option<Vec<Expression>> {
    let mut parts = vec![part(words)?];
    while eat(words, separator) {
        parts.push(part(words)?);
    }
    Some(parts)
}

fn eat(words: &mut &[&str], word: &str) -> bool {
    match words.split_first() {
        Some((first, rest)) if *first == word => {
            *words = rest;
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let check = |text, met| {
            let allowed = |license: &str| {
                matches!(license, "MIT" | "Zlib" | "Apache-2.0 WITH LLVM-exception")
            };
            let expression = Expression::parse(text);
            assert_eq!(expression.map(|it| it.is_met(&allowed)), met, "{text}");
        };
        check("MIT", Some(true));
        check("GPL-3.0", Some(false));
        check("GPL-3.0/MIT", Some(true));
        check("MIT AND GPL-3.0", Some(false));
        check("MIT AND (GPL-3.0 OR Zlib)", Some(true));
        check("GPL-3.0 OR MIT AND BSL-1.0", Some(false));
        check("Apache-2.0 WITH LLVM-exception", Some(true));
        check("Apache-2.0", Some(false));
        check("", None);
        check("MIT OR", None);
        check("(MIT", None);
        check("MIT Zlib", None);
    }
}
