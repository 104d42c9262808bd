use super::ast::{Operator, Span};
use super::error::{FilterErrorKind, Problem, shown};
use super::lexer::{Lexer, Token, TokenKind};
use super::limits::{MAX_DEPTH, MAX_TERMS};

/// Where the parser stands, and what it has counted; the grammar is in `parser`.
pub(crate) struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    /// The token that is looked at.
    pub(crate) token: Token,
    /// Where the token before it stands.
    pub(crate) last: Span,
    depth: usize,
    terms: usize,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str) -> Result<Self, Problem> {
        let mut lexer = Lexer::new(text);
        let token = lexer.next()?;
        Ok(Self {
            text,
            lexer,
            token,
            last: Span::default(),
            depth: 0,
            terms: 0,
        })
    }

    pub(crate) fn advance(&mut self) -> Result<Token, Problem> {
        let next = self.lexer.next()?;
        self.last = self.token.span;
        Ok(std::mem::replace(&mut self.token, next))
    }

    pub(crate) fn at_end(&self) -> bool {
        matches!(self.token.kind, TokenKind::End)
    }

    /// Whether AND or OR stands here as an operator: with white space on both sides.
    pub(crate) fn at_keyword(&self, word: &str) -> bool {
        self.token.after_space && self.at_word(word)
    }

    pub(crate) fn at_word(&self, word: &str) -> bool {
        match &self.token.kind {
            TokenKind::Segment(segment) => {
                let follows = self.lexer.rest().chars().next();
                !segment.quoted && segment.text == word && follows.is_none_or(char::is_whitespace)
            }
            _ => false,
        }
    }

    pub(crate) fn skip_keyword(&mut self) -> Result<(), Problem> {
        let keyword = self.advance()?;
        if !self.at_end() {
            return Ok(());
        }
        let message = format!("nothing follows `{}`", self.shown(keyword.span));
        Err(
            Problem::new(FilterErrorKind::MissingOperand, keyword.span, message)
                .hint("write a term behind it, or remove it"),
        )
    }

    pub(crate) fn enter(&mut self) -> Result<(), Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("parentheses are nested deeper than {MAX_DEPTH}");
            return Err(Problem::new(
                FilterErrorKind::TooDeep,
                self.token.span,
                message,
            ));
        }
        self.advance().map(drop)
    }

    pub(crate) fn leave(&mut self, open: Span) -> Result<(), Problem> {
        match self.token.kind {
            TokenKind::RightParen => {
                self.depth -= 1;
                self.advance().map(drop)
            }
            TokenKind::End => Err(Problem::new(
                FilterErrorKind::ExpectedRparen,
                open,
                "this parenthesis is not closed",
            )
            .hint("write `)` behind the last term in it")),
            _ => Err(self.unexpected()),
        }
    }

    pub(crate) fn count_term(&mut self, span: Span) -> Result<(), Problem> {
        self.terms += 1;
        if self.terms <= MAX_TERMS {
            return Ok(());
        }
        let message = format!("the filter has more than {MAX_TERMS} terms");
        Err(Problem::new(FilterErrorKind::TooComplex, span, message))
    }

    pub(crate) fn unexpected(&self) -> Problem {
        let found = self.shown(self.token.span);
        let problem = Problem::new(
            FilterErrorKind::UnexpectedToken,
            self.token.span,
            format!("`{found}` cannot stand here"),
        );
        match self.token.kind {
            TokenKind::Operator(Operator::Has) => {
                problem.hint("quote a literal that holds a colon, such as a timestamp")
            }
            TokenKind::Operator(_) => {
                problem.hint("write AND between two comparisons; each has one operator")
            }
            TokenKind::Comma => problem.hint("write AND or OR between two terms"),
            TokenKind::Stray if found == "!" => problem.hint(
                "write NOT before a term, or != between a field and a literal; there is no `!~`",
            ),
            TokenKind::Stray => problem.hint("write AND or OR between two terms"),
            TokenKind::RightParen => problem.hint("remove it, or open a parenthesis before"),
            TokenKind::Dot => problem.hint("put no white space around a dot"),
            TokenKind::Segment(_) | TokenKind::LeftParen | TokenKind::End => problem,
        }
    }

    pub(crate) fn expected_value(&self) -> Problem {
        let found = match self.token.kind {
            TokenKind::End => "the end of the filter".to_owned(),
            _ => format!("`{}`", self.shown(self.token.span)),
        };
        Problem::new(
            FilterErrorKind::ExpectedValue,
            self.token.span,
            format!("expected a field or a literal, found {found}"),
        )
        .hint(match self.token.kind {
            TokenKind::Stray => "write NOT to negate a term",
            TokenKind::End => "write what is missing, or remove what stands before",
            _ => "write a field, such as done, or quote the literal",
        })
    }

    fn shown(&self, span: Span) -> String {
        shown(self.text.get(span.start..span.end).unwrap_or(""))
    }
}

/// Whether a bare word has a meaning of its own.
pub(crate) fn is_keyword(text: &str) -> bool {
    matches!(text, "AND" | "OR" | "NOT")
}

/// A keyword stands where a field or literal must.
pub(crate) fn keyword(span: Span, word: &str) -> Problem {
    Problem::new(
        FilterErrorKind::UnexpectedKeyword,
        span,
        format!("`{word}` cannot stand here"),
    )
    .hint(format!("quote it to mean the text: \"{word}\""))
}
