use super::ast::{Operator, Segment, Span};
use super::error::{FilterErrorKind, Problem, shown};

/// One token, with what the parser must know of the white space around it.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
    /// White space stands before it, or the filter starts with it.
    pub(crate) after_space: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum TokenKind {
    /// Bare text or a quoted string.
    Segment(Segment),
    Operator(Operator),
    Dot,
    Comma,
    LeftParen,
    RightParen,
    /// `!` or `;`: characters that end bare text and mean nothing alone.
    Stray,
    End,
}

/// Cuts a filter into tokens.
///
/// Bare text ends at white space and at any of `. ( ) , " ' = < > ! : ;`. Whether a leading `-` is
/// a negation is for the parser to say.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }

    pub(crate) fn next(&mut self) -> Result<Token, Problem> {
        let rest = self.rest();
        let trimmed = rest.trim_start();
        let after_space = self.position == 0 || trimmed.len() < rest.len();
        self.position += rest.len() - trimmed.len();
        let start = self.position;
        let Some(first) = trimmed.chars().next() else {
            return Ok(self.token(TokenKind::End, start, after_space));
        };
        let kind = match first {
            '"' | '\'' => TokenKind::Segment(self.string(first)?),
            '.' => self.symbol(TokenKind::Dot, 1),
            ',' => self.symbol(TokenKind::Comma, 1),
            '(' => self.symbol(TokenKind::LeftParen, 1),
            ')' => self.symbol(TokenKind::RightParen, 1),
            ';' => self.symbol(TokenKind::Stray, 1),
            '=' | '<' | '>' | '!' | ':' => self.operator(),
            _ => TokenKind::Segment(self.bare()?),
        };
        Ok(self.token(kind, start, after_space))
    }

    /// The text after the last token.
    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or("")
    }

    fn token(&self, kind: TokenKind, start: usize, after_space: bool) -> Token {
        Token {
            kind,
            span: Span {
                start,
                end: self.position,
            },
            after_space,
        }
    }

    fn symbol(&mut self, kind: TokenKind, length: usize) -> TokenKind {
        self.position += length;
        kind
    }

    fn operator(&mut self) -> TokenKind {
        let rest = self.rest();
        let found = [
            Operator::NotEqual,
            Operator::LessOrEqual,
            Operator::GreaterOrEqual,
            Operator::Equal,
            Operator::Less,
            Operator::Greater,
            Operator::Has,
        ]
        .into_iter()
        .find(|operator| rest.starts_with(operator.as_str()));
        match found {
            Some(operator) => self.symbol(TokenKind::Operator(operator), operator.as_str().len()),
            None => self.symbol(TokenKind::Stray, 1),
        }
    }

    fn bare(&mut self) -> Result<Segment, Problem> {
        let rest = self.rest();
        let start = self.position;
        let length = rest
            .find(|c: char| c.is_whitespace() || ends_text(c))
            .unwrap_or(rest.len());
        let (text, _) = rest.split_at(length);
        if let Some((index, c)) = text.char_indices().find(|(_, c)| c.is_control()) {
            return Err(control_character(start + index, c));
        }
        self.position += length;
        Ok(Segment {
            text: text.to_owned(),
            quoted: false,
            escaped_stars: Vec::new(),
            span: Span {
                start,
                end: self.position,
            },
        })
    }

    fn string(&mut self, quote: char) -> Result<Segment, Problem> {
        let start = self.position;
        let mut reader = Reader {
            text: self.text,
            position: start + quote.len_utf8(),
        };
        let mut text = String::new();
        let mut escaped_stars = Vec::new();
        loop {
            let at = reader.position;
            match reader.next() {
                None => return Err(unterminated(start, self.text.len())),
                Some(c) if c == quote => break,
                Some('\\') => {
                    let c = reader.escape(start, at)?;
                    if c == '*' {
                        escaped_stars.push(text.len());
                    }
                    text.push(c);
                }
                Some(c) if c.is_control() => return Err(control_character(at, c)),
                Some(c) => text.push(c),
            }
        }
        self.position = reader.position;
        Ok(Segment {
            text,
            quoted: true,
            escaped_stars,
            span: Span {
                start,
                end: self.position,
            },
        })
    }
}

/// Reads a string, one character after the other.
struct Reader<'a> {
    text: &'a str,
    position: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.text.get(self.position..)?.chars().next()?;
        self.position += c.len_utf8();
        Some(c)
    }

    /// The character that an escape means; `at` is where its backslash stands.
    fn escape(&mut self, string_start: usize, at: usize) -> Result<char, Problem> {
        let c = match self.next() {
            None => return Err(unterminated(string_start, self.text.len())),
            Some(c @ ('\\' | '"' | '\'' | '*')) => c,
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => self.unicode(at)?,
            Some(_) => return Err(self.bad_escape(at)),
        };
        if c == '\0' {
            return Err(control_character(at, c));
        }
        Ok(c)
    }

    /// `\uXXXX`, or two of them that are one surrogate pair.
    fn unicode(&mut self, at: usize) -> Result<char, Problem> {
        let high = self.four_digits(at)?;
        let mut units = vec![high];
        if (0xD800..0xDC00).contains(&high) {
            let follows = self.text.get(self.position..).unwrap_or("");
            if !follows.starts_with("\\u") {
                return Err(self.bad_escape(at));
            }
            self.position += 2;
            units.push(self.four_digits(at)?);
        }
        let mut decoded = char::decode_utf16(units);
        match (decoded.next(), decoded.next()) {
            (Some(Ok(c)), None) => Ok(c),
            _ => Err(self.bad_escape(at)),
        }
    }

    fn four_digits(&mut self, at: usize) -> Result<u16, Problem> {
        let mut number = 0;
        for _ in 0..4 {
            let before = self.position;
            let Some(digit) = self.next().and_then(|c| c.to_digit(16)) else {
                self.position = before;
                return Err(self.bad_escape(at));
            };
            number = number * 16 + digit;
        }
        // Four hexadecimal digits fit.
        Ok(number as u16)
    }

    fn bad_escape(&self, at: usize) -> Problem {
        let span = Span {
            start: at,
            end: self.position,
        };
        let found = shown(self.text.get(at..self.position).unwrap_or(""));
        Problem::new(
            FilterErrorKind::BadEscape,
            span,
            format!("`{found}` is no escape"),
        )
        .hint(r#"there are \\ \" \' \n \r \t \* and \uXXXX"#)
    }
}

fn ends_text(c: char) -> bool {
    matches!(
        c,
        '.' | '(' | ')' | ',' | '"' | '\'' | '=' | '<' | '>' | '!' | ':' | ';'
    )
}

fn control_character(at: usize, c: char) -> Problem {
    let span = Span {
        start: at,
        end: at + c.len_utf8(),
    };
    let code = u32::from(c);
    let problem = Problem::new(
        FilterErrorKind::ControlChar,
        span,
        format!("the control character U+{code:04X} is not allowed"),
    );
    match c {
        '\0' => problem,
        _ => problem.hint(format!("write \\u{code:04x} inside a quoted string")),
    }
}

fn unterminated(start: usize, end: usize) -> Problem {
    Problem::new(
        FilterErrorKind::UnterminatedString,
        Span { start, end },
        "the string has no end",
    )
    .hint("close it with the quote that it begins with")
}
