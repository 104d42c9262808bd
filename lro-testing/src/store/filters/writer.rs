use std::fmt::Write as _;

use crate::random::Random;

pub(super) const PARENTS: [&str; 6] = ["", "p", "p/q", "p_", "P", "r\u{e9}/q"];
pub(super) const METHODS: [&str; 4] = ["/t.S/A", "/t.S/a", "/t.S/B_", "/t.\u{dc}b/\u{212a}"];
pub(super) const KEYS: [&str; 7] = ["env", "Env", "a b", "e\u{301}", "\u{e9}", "K", "\u{212a}"];
/// Quotes, wildcards of every kind, characters that normalize to others (KELVIN SIGN to an ASCII
/// letter, combining marks), and one that no filter can hold.
pub(super) const VALUES: [&str; 16] = [
    "",
    "prod",
    "Prod",
    "p",
    "it's",
    "\"q\"",
    "back\\slash",
    "100%",
    "a_b",
    "aXb",
    "[a]*?",
    "*",
    "K",
    "\u{212a}",
    "e\u{301}",
    "nul\0l",
];
/// The texts in filters.
const TEXTS: [&str; 18] = [
    "",
    "prod",
    "PROD",
    "p",
    "it's",
    "\"q\"",
    "\\",
    "%",
    "_",
    "a_b",
    "[a]",
    "*",
    "?",
    "K",
    "\u{e9}",
    "\u{1f680}",
    "operations/op",
    "nul",
];
const TIMES: [&str; 5] = [
    "create_time",
    "update_time",
    "start_time",
    "end_time",
    "expire_time",
];

/// Writes filters: every field of operations, every operator, parentheses on both sides.
pub(super) struct FilterWriter(Random);

impl FilterWriter {
    pub(super) fn new(seed: u64) -> Self {
        Self(Random::new(seed.rotate_left(32)))
    }

    pub(super) fn filter(&mut self) -> String {
        let depth = self.0.below(4);
        self.expression(depth)
    }

    fn expression(&mut self, depth: u64) -> String {
        if depth == 0 {
            return self.restriction();
        }
        let count = 1 + self.0.below(3);
        let parts = (0..count).map(|_| {
            let part = self.expression(depth - 1);
            match self.0.below(5) {
                0 => format!("NOT ({part})"),
                1 => format!("-({part})"),
                _ => format!("({part})"),
            }
        });
        let parts: Vec<_> = parts.collect();
        parts.join(self.0.pick(&[" AND ", " OR ", " "]))
    }

    fn restriction(&mut self) -> String {
        match self.0.below(25) {
            0..3 => {
                let not = self.0.pick(&["", "NOT ", "-"]);
                let (operator, value) = (
                    self.0.pick(&["=", "!=", ":"]),
                    self.0.pick(&["true", "false"]),
                );
                format!("{not}done {operator} {value}")
            }
            3..6 => {
                let states = [
                    "PENDING",
                    "RUNNING",
                    "CANCELLING",
                    "SUCCEEDED",
                    "FAILED",
                    "CANCELLED",
                ];
                let operator = self.0.pick(&["=", "!="]);
                let argument = self.argument(|writer| writer.0.pick(&states).to_owned());
                format!("state {operator} {argument}")
            }
            6..10 => {
                let field = self.0.pick(&["name", "method", "method", "error.message"]);
                let operator = self.operator();
                let argument = self.argument(|writer| match writer.0.percent(50) {
                    true if field == "method" => quoted(writer.0.pick(&METHODS)),
                    _ => writer.text(operator),
                });
                format!("{field} {operator} {argument}")
            }
            10..15 => {
                let key = self.0.pick(&KEYS);
                match self.0.below(5) {
                    0 => format!("labels:{}", quoted(key)),
                    1 => format!("labels.{}:*", quoted(key)),
                    _ => {
                        let operator = self.operator();
                        let argument = self.argument(|writer| writer.text(operator));
                        format!("labels.{} {operator} {argument}", quoted(key))
                    }
                }
            }
            15..18 => self.time(),
            18 => {
                let (field, values) = self
                    .0
                    .pick(&[("attempt", [0, 1, 2]), ("error.code", [1, 5, 9])]);
                let (operator, value) = (self.operator(), self.0.pick(&values));
                if field == "error.code" && self.0.percent(30) {
                    let operator = self.0.pick(&["=", "!=", ":"]);
                    let name = self.0.pick(&["CANCELLED", "NOT_FOUND", "UNAVAILABLE"]);
                    return format!("{field} {operator} {name}");
                }
                format!("{field} {operator} {value}")
            }
            19..22 => self.payload_type(),
            22..24 => self
                .0
                .pick(&[
                    "waiting = true",
                    "waiting != true",
                    "waiting:*",
                    "blocked = true",
                    "blocked = false",
                    "waiting.step = approved",
                    "waiting.step = \"approved*\"",
                    "waiting.step = (night OR other)",
                    "waiting.kind = PROMISE",
                    "waiting.kind = SLEEP",
                ])
                .to_owned(),
            _ => self
                .0
                .pick(&[
                    "error:*",
                    "error = null",
                    "labels:*",
                    "metadata:*",
                    "response != null",
                    "attempt:*",
                ])
                .to_owned(),
        }
    }

    /// The type of a payload, with and without a host, quoted or not.
    fn payload_type(&mut self) -> String {
        let payload = self.0.pick(&["metadata", "response"]);
        let operator = self.0.pick(&["=", "!=", ":"]);
        let argument = self.argument(|writer| {
            let host = writer
                .0
                .pick(&["", "type.googleapis.com/", "example.com/types/"]);
            let name = match operator {
                ":" => writer
                    .0
                    .pick(&["test.Text", "Text", "other.Text", "*", "Other"]),
                _ => writer
                    .0
                    .pick(&["test.Text", "other.Text", "test.*", "*Text", "Text"]),
            };
            match writer.0.percent(50) {
                true => format!("\"{host}{name}\""),
                false => format!("{host}{name}"),
            }
        });
        format!("{payload}.@type {operator} {argument}")
    }

    fn time(&mut self) -> String {
        let field = self.0.pick(&TIMES);
        if self.0.percent(20) {
            return format!("{field} {} null", self.0.pick(&["=", "!="]));
        }
        let start = crate::ManualClock::START.as_micros() / 1_000_000;
        let seconds = start + self.0.pick(&[0, 1, 61, 120, 300, 1_000_000]);
        let nanos = self.0.pick(&[0, 1_000, 500, 999_999_999]);
        let time = prost_types::Timestamp { seconds, nanos };
        format!("{field} {} \"{time}\"", self.operator())
    }

    fn operator(&mut self) -> &'static str {
        self.0.pick(&["=", "!=", "<", "<=", ">", ">=", ":"])
    }

    /// A literal, or several in parentheses.
    fn argument(&mut self, literal: impl Fn(&mut Self) -> String) -> String {
        if self.0.percent(70) {
            return literal(self);
        }
        let (first, second) = (literal(self), literal(self));
        match self.0.below(3) {
            0 => format!("({first} AND {second})"),
            1 => format!("({first} OR NOT {second})"),
            _ => format!("({first} OR {second})"),
        }
    }

    /// A text, at times with wildcards, where the operator takes them.
    fn text(&mut self, operator: &str) -> String {
        let mut text = self.0.pick(&TEXTS);
        if operator == ":" && text.is_empty() {
            // It would ask for nothing, which is refused.
            text = "prod";
        }
        let literal = quoted(text);
        let text = &literal[1..literal.len() - 1];
        let wild = matches!(operator, "=" | "!=" | ":") && self.0.percent(50);
        let (first, last) = match wild {
            true => self.0.pick(&[("", "*"), ("*", ""), ("*", "*")]),
            false => ("", ""),
        };
        format!("\"{first}{text}{last}\"")
    }
}

/// A literal in quotes.
fn quoted(text: &str) -> String {
    let mut literal = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' | '*' => {
                literal.push('\\');
                literal.push(c);
            }
            c if c.is_ascii() => literal.push(c),
            c => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(literal, "\\u{unit:04x}");
                }
            }
        }
    }
    literal.push('"');
    literal
}
