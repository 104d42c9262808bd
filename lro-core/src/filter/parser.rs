use super::ast::{
    Argument, Call, Comparable, Expression, ExpressionKind, Path, Restriction, Segment, Span,
};
use super::error::{FilterError, FilterErrorKind, Problem};
use super::lexer::TokenKind;
use super::limits::MAX_LENGTH;
use super::tokens::{Parser, is_keyword, keyword};

/// Parses a filter; nothing for one that is empty or blank.
///
/// ```
/// let tree = lro_core::filter::parse("New York Giants OR Yankees")?.unwrap();
/// assert_eq!(tree.to_string(), "New York Giants OR Yankees");
/// assert!(lro_core::filter::parse("  ")?.is_none());
/// # Ok::<(), lro_core::filter::FilterError>(())
/// ```
///
/// # Errors
///
/// [`FilterError`] when the text is no filter by the grammar of AIP-160, or beyond a limit.
pub fn parse(text: &str) -> Result<Option<Expression>, FilterError> {
    parse_text(text).map_err(|problem| problem.in_text(text))
}

pub(crate) fn parse_text(text: &str) -> Result<Option<Expression>, Problem> {
    if text.chars().nth(MAX_LENGTH).is_some() {
        let message = format!("the filter is longer than {MAX_LENGTH} characters");
        return Err(Problem::new(
            FilterErrorKind::TooLong,
            Span::default(),
            message,
        ));
    }
    Parser::new(text)?.filter()
}

/// Where a path stands: only an argument may begin with `-`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Argument,
}

impl Parser<'_> {
    fn filter(&mut self) -> Result<Option<Expression>, Problem> {
        if self.at_end() {
            return Ok(None);
        }
        let expression = self.expression()?;
        if self.at_end() {
            Ok(Some(expression))
        } else {
            Err(self.unexpected())
        }
    }

    // expression = sequence {WS AND WS sequence}
    fn expression(&mut self) -> Result<Expression, Problem> {
        let mut parts = vec![self.sequence()?];
        while self.at_keyword("AND") {
            self.skip_keyword()?;
            parts.push(self.sequence()?);
        }
        Ok(joined(parts, ExpressionKind::And))
    }

    // sequence = factor {WS factor}
    fn sequence(&mut self) -> Result<Expression, Problem> {
        let mut parts = vec![self.factor()?];
        while matches!(
            self.token.kind,
            TokenKind::Segment(_) | TokenKind::LeftParen
        ) && !self.at_keyword("AND")
        {
            if !self.token.after_space {
                return Err(self.unexpected().hint("put white space between two terms"));
            }
            parts.push(self.factor()?);
        }
        Ok(joined(parts, ExpressionKind::Sequence))
    }

    // factor = term {WS OR WS term}
    fn factor(&mut self) -> Result<Expression, Problem> {
        let mut parts = vec![self.term()?];
        while self.at_keyword("OR") {
            self.skip_keyword()?;
            parts.push(self.term()?);
        }
        Ok(joined(parts, ExpressionKind::Or))
    }

    // term = [NOT WS | "-"] simple
    fn term(&mut self) -> Result<Expression, Problem> {
        let start = self.token.span;
        if self.at_word("NOT") {
            let not = self.advance()?;
            if self.at_end() {
                return Err(keyword(not.span, "NOT"));
            }
        } else if !self.minus()? {
            return self.simple();
        }
        let inner = self.simple()?;
        Ok(Expression {
            span: start.to(inner.span),
            kind: ExpressionKind::Not(Box::new(inner)),
        })
    }

    /// Takes a `-` off the front of the token, if there is one.
    fn minus(&mut self) -> Result<bool, Problem> {
        let TokenKind::Segment(segment) = &mut self.token.kind else {
            return Ok(false);
        };
        if segment.quoted || !segment.text.starts_with('-') {
            return Ok(false);
        }
        segment.text.remove(0);
        segment.span.start += 1;
        self.token.span.start += 1;
        if segment.text.is_empty() {
            self.advance()?;
            let negatable = match &self.token.kind {
                TokenKind::LeftParen => true,
                TokenKind::Segment(segment) => segment.quoted,
                _ => false,
            };
            if self.token.after_space || !negatable {
                return Err(self
                    .expected_value()
                    .hint("put no white space between `-` and what it negates"));
            }
        }
        Ok(true)
    }

    // simple = restriction | composite
    fn simple(&mut self) -> Result<Expression, Problem> {
        if matches!(self.token.kind, TokenKind::LeftParen) {
            return self.composite();
        }
        let field = self.comparable(Side::Left)?;
        let TokenKind::Operator(operator) = self.token.kind else {
            self.count_term(field.span())?;
            return Ok(Expression {
                span: field.span(),
                kind: ExpressionKind::Global(field),
            });
        };
        let operator_span = self.advance()?.span;
        let (argument, end) = match self.token.kind {
            TokenKind::LeftParen => {
                let inner = self.composite()?;
                (Argument::Composite(Box::new(inner)), self.last)
            }
            _ => {
                self.count_term(field.span())?;
                let literal = self.comparable(Side::Argument).map_err(after_operator)?;
                let end = literal.span();
                (Argument::Comparable(literal), end)
            }
        };
        Ok(Expression {
            span: field.span().to(end),
            kind: ExpressionKind::Restriction(Restriction {
                field,
                operator,
                operator_span,
                argument,
            }),
        })
    }

    // composite = "(" expression ")"
    fn composite(&mut self) -> Result<Expression, Problem> {
        let open = self.token.span;
        self.enter()?;
        let inner = self.expression()?;
        self.leave(open)?;
        Ok(inner)
    }

    // comparable = member | function
    fn comparable(&mut self, side: Side) -> Result<Comparable, Problem> {
        let mut segments = vec![self.segment(side)?];
        while matches!(self.token.kind, TokenKind::Dot) && !self.token.after_space {
            self.advance()?;
            if self.token.after_space {
                return Err(self
                    .expected_value()
                    .hint("put no white space around a dot"));
            }
            segments.push(self.segment(Side::Argument)?);
        }
        let span = span_of(&segments);
        let calls = matches!(self.token.kind, TokenKind::LeftParen) && !self.token.after_space;
        if calls && segments.iter().all(|segment| !segment.quoted) {
            return self.call(segments, span).map(Comparable::Call);
        }
        if let [first, ..] = segments.as_slice()
            && !first.quoted
            && is_keyword(&first.text)
        {
            return Err(keyword(first.span, &first.text));
        }
        Ok(Comparable::Path(Path { segments, span }))
    }

    fn segment(&mut self, side: Side) -> Result<Segment, Problem> {
        match &self.token.kind {
            TokenKind::Segment(segment)
                if side == Side::Left && !segment.quoted && segment.text.starts_with('-') =>
            {
                Err(self
                    .unexpected()
                    .hint("one negation is enough; put the rest into parentheses"))
            }
            TokenKind::Segment(segment) => {
                let segment = segment.clone();
                self.advance()?;
                Ok(segment)
            }
            _ => Err(self.expected_value()),
        }
    }

    // function = name {"." name} "(" [arg {"," arg}] ")"
    fn call(&mut self, name: Vec<Segment>, span: Span) -> Result<Call, Problem> {
        let open = self.token.span;
        let is_keyword = matches!(name.as_slice(), [only] if is_keyword(&only.text));
        self.enter()?;
        let mut arguments = Vec::new();
        if !matches!(self.token.kind, TokenKind::RightParen | TokenKind::End) {
            arguments.push(self.argument()?);
            while matches!(self.token.kind, TokenKind::Comma) {
                self.advance()?;
                arguments.push(self.argument()?);
            }
        }
        let end = self.token.span;
        self.leave(open).map_err(|problem| match is_keyword {
            true => problem.hint("put white space before the parenthesis"),
            false => problem,
        })?;
        Ok(Call {
            name,
            arguments,
            span: span.to(end),
        })
    }

    fn argument(&mut self) -> Result<Argument, Problem> {
        Ok(match self.token.kind {
            TokenKind::LeftParen => Argument::Composite(Box::new(self.composite()?)),
            _ => Argument::Comparable(self.comparable(Side::Argument)?),
        })
    }
}

/// The only part, or the list of them.
fn joined(
    mut parts: Vec<Expression>,
    kind: impl FnOnce(Vec<Expression>) -> ExpressionKind,
) -> Expression {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            let first = parts.first().map_or_else(Span::default, |part| part.span);
            let end = parts.last().map_or(first, |part| part.span);
            Expression {
                span: first.to(end),
                kind: kind(parts),
            }
        }
    }
}

fn span_of(segments: &[Segment]) -> Span {
    match segments {
        [first, .., last] => first.span.to(last.span),
        [only] => only.span,
        [] => Span::default(),
    }
}

fn after_operator(problem: Problem) -> Problem {
    match problem.kind {
        FilterErrorKind::ExpectedValue => problem.hint("the operators are = != < <= > >= and :"),
        _ => problem,
    }
}
