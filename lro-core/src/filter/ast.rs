//! The syntax tree of a filter, before any field is known.

use std::fmt;

/// A span of the filter's text, in bytes.
///
/// ```
/// use lro_core::filter::parse;
///
/// let text = "done = true";
/// let span = parse(text)?.unwrap().span;
/// assert_eq!(&text[span.start..span.end], text);
/// # Ok::<(), lro_core::filter::FilterError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Where it starts.
    pub start: usize,
    /// Where it ends: the first byte after it.
    pub end: usize,
}

impl Span {
    /// From the start of this one to the end of the other.
    pub const fn to(self, other: Self) -> Self {
        Self {
            start: self.start,
            end: other.end,
        }
    }
}

/// An expression. Its `Display` is a filter that parses to the same tree.
///
/// ```
/// use lro_core::filter::{ExpressionKind, parse};
///
/// let tree = parse("done = true AND (labels.env = dev OR labels.env = prod)")?.unwrap();
/// assert!(matches!(&tree.kind, ExpressionKind::And(parts) if parts.len() == 2));
/// assert_eq!(tree.to_string(), "done = true AND labels.env = dev OR labels.env = prod");
/// # Ok::<(), lro_core::filter::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// The kind of expression.
    pub kind: ExpressionKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of expressions. Lists have at least two members.
///
/// ```
/// use lro_core::filter::{ExpressionKind, parse};
///
/// let tree = parse("NOT done = true")?.unwrap();
/// assert!(matches!(tree.kind, ExpressionKind::Not(_)));
/// # Ok::<(), lro_core::filter::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpressionKind {
    /// `a AND b AND c`: binds weakest.
    And(Vec<Expression>),
    /// `a b c`: an AND that binds tighter than `AND`.
    Sequence(Vec<Expression>),
    /// `a OR b OR c`: binds tighter than both.
    Or(Vec<Expression>),
    /// `NOT a` or `-a`.
    Not(Box<Expression>),
    /// `field = literal`.
    Restriction(Restriction),
    /// A bare literal or call.
    Global(Comparable),
}

/// `field = literal`.
///
/// ```
/// use lro_core::filter::{ExpressionKind, Operator, parse};
///
/// let tree = parse("attempt > 1")?.unwrap();
/// let ExpressionKind::Restriction(restriction) = tree.kind else { unreachable!() };
/// assert_eq!(restriction.operator, Operator::Greater);
/// assert_eq!(restriction.to_string(), "attempt > 1");
/// # Ok::<(), lro_core::filter::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restriction {
    /// The left side.
    pub field: Comparable,
    /// The operator.
    pub operator: Operator,
    /// Where the operator stands.
    pub operator_span: Span,
    /// The right side.
    pub argument: Argument,
}

/// An operator.
///
/// ```
/// use lro_core::filter::Operator;
///
/// assert_eq!(Operator::LessOrEqual.as_str(), "<=");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `:`
    Has,
}

impl Operator {
    /// Every operator.
    pub const ALL: [Self; 7] = [
        Self::Equal,
        Self::NotEqual,
        Self::Less,
        Self::LessOrEqual,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::Has,
    ];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Has => ":",
        }
    }
}

/// A path of names, or a call.
///
/// ```
/// use lro_core::filter::{Comparable, ExpressionKind, parse};
///
/// let tree = parse("error.code = 5")?.unwrap();
/// let ExpressionKind::Restriction(restriction) = tree.kind else { unreachable!() };
/// assert!(matches!(restriction.field, Comparable::Path(_)));
/// # Ok::<(), lro_core::filter::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparable {
    /// `a.b."c d"`: a field on the left, a literal on the right.
    Path(Path),
    /// `name(argument, ..)`.
    Call(Call),
}

impl Comparable {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Self::Path(path) => path.span,
            Self::Call(call) => call.span,
        }
    }
}

/// Names with dots between them, at least one.
///
/// ```
/// use lro_core::filter::{Comparable, ExpressionKind, parse};
///
/// let tree = parse("error.code = 5")?.unwrap();
/// let ExpressionKind::Restriction(restriction) = tree.kind else { unreachable!() };
/// let Comparable::Path(path) = restriction.field else { unreachable!() };
/// assert_eq!(path.segments[1].text, "code");
/// # Ok::<(), lro_core::filter::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The names.
    pub segments: Vec<Segment>,
    /// Where it stands.
    pub span: Span,
}

/// One name of a path: bare text or a quoted string.
///
/// ```
/// use lro_core::filter::{Comparable, ExpressionKind, parse};
///
/// let tree = parse("labels.\"a b\" = c")?.unwrap();
/// let ExpressionKind::Restriction(restriction) = tree.kind else { unreachable!() };
/// let Comparable::Path(path) = restriction.field else { unreachable!() };
/// assert_eq!((&*path.segments[1].text, path.segments[1].quoted), ("a b", true));
/// # Ok::<(), lro_core::filter::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The text, escapes resolved.
    pub text: String,
    /// Whether it was quoted.
    pub quoted: bool,
    /// At which bytes of `text` a star stands that was escaped, so that it is no wildcard;
    /// ascending.
    pub escaped_stars: Vec<usize>,
    /// Where it stands.
    pub span: Span,
}

/// A call of a function.
///
/// ```
/// use lro_core::filter::{Comparable, ExpressionKind, parse};
///
/// let tree = parse("near(home, 5)")?.unwrap();
/// let ExpressionKind::Global(Comparable::Call(call)) = tree.kind else { unreachable!() };
/// assert_eq!((&*call.name[0].text, call.arguments.len()), ("near", 2));
/// # Ok::<(), lro_core::filter::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The names before the parenthesis, at least one.
    pub name: Vec<Segment>,
    /// The arguments of the function.
    pub arguments: Vec<Argument>,
    /// Where it stands.
    pub span: Span,
}

/// The right side of an operator, or what a function is given.
///
/// ```
/// use lro_core::filter::{Argument, ExpressionKind, parse};
///
/// let tree = parse("labels.env = (dev OR test)")?.unwrap();
/// let ExpressionKind::Restriction(restriction) = tree.kind else { unreachable!() };
/// assert!(matches!(restriction.argument, Argument::Composite(_)));
/// # Ok::<(), lro_core::filter::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A literal or a call.
    Comparable(Comparable),
    /// `(a OR b)`.
    Composite(Box<Expression>),
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExpressionKind::And(parts) => self.list(f, parts, " AND "),
            ExpressionKind::Sequence(parts) => self.list(f, parts, " "),
            ExpressionKind::Or(parts) => self.list(f, parts, " OR "),
            ExpressionKind::Not(inner) => {
                f.write_str("NOT ")?;
                self.part(f, inner)
            }
            ExpressionKind::Restriction(restriction) => write!(f, "{restriction}"),
            ExpressionKind::Global(comparable) => write!(f, "{comparable}"),
        }
    }
}

impl Expression {
    fn binding(&self) -> u8 {
        match self.kind {
            ExpressionKind::And(_) => 0,
            ExpressionKind::Sequence(_) => 1,
            ExpressionKind::Or(_) => 2,
            ExpressionKind::Not(_) => 3,
            ExpressionKind::Restriction(_) | ExpressionKind::Global(_) => 4,
        }
    }

    fn list(&self, f: &mut fmt::Formatter<'_>, parts: &[Self], between: &str) -> fmt::Result {
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                f.write_str(between)?;
            }
            self.part(f, part)?;
        }
        Ok(())
    }

    fn part(&self, f: &mut fmt::Formatter<'_>, part: &Self) -> fmt::Result {
        if part.binding() > self.binding() {
            write!(f, "{part}")
        } else {
            write!(f, "({part})")
        }
    }
}

impl fmt::Display for Restriction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.operator {
            Operator::Has => write!(f, "{}:{}", self.field, self.argument),
            other => write!(f, "{} {} {}", self.field, other.as_str(), self.argument),
        }
    }
}

impl fmt::Display for Comparable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{path}"),
            Self::Call(call) => write!(f, "{call}"),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        dotted(f, &self.segments)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        dotted(f, &self.name)?;
        f.write_str("(")?;
        for (index, argument) in self.arguments.iter().enumerate() {
            let between = if index > 0 { ", " } else { "" };
            write!(f, "{between}{argument}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Comparable(comparable) => write!(f, "{comparable}"),
            Self::Composite(inner) => write!(f, "({inner})"),
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.quoted {
            return f.write_str(&self.text);
        }
        f.write_str("\"")?;
        for (index, c) in self.text.char_indices() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '*' if self.escaped_stars.binary_search(&index).is_ok() => f.write_str("\\*")?,
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

fn dotted(f: &mut fmt::Formatter<'_>, segments: &[Segment]) -> fmt::Result {
    for (index, segment) in segments.iter().enumerate() {
        let between = if index > 0 { "." } else { "" };
        write!(f, "{between}{segment}")?;
    }
    Ok(())
}
