//! JSON text: brackets, commas and indentation.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A JSON text under construction.
pub(super) struct Text {
    json: String,
    pretty: bool,
    /// For each open bracket, whether it has an element already.
    open: Vec<bool>,
}

/// A place in the text to return to.
pub(super) struct Mark {
    length: usize,
    open: Vec<bool>,
}

impl Text {
    pub(super) fn new(pretty: bool) -> Self {
        Self {
            json: String::new(),
            pretty,
            open: Vec::new(),
        }
    }

    pub(super) fn into_string(self) -> String {
        self.json
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            length: self.json.len(),
            open: self.open.clone(),
        }
    }

    /// Removes everything that was written since the mark.
    pub(super) fn back_to(&mut self, mark: Mark) {
        self.json.truncate(mark.length);
        self.open = mark.open;
    }

    pub(super) fn begin(&mut self, bracket: char) {
        self.json.push(bracket);
        self.open.push(false);
    }

    pub(super) fn end(&mut self, bracket: char) {
        if self.open.pop() == Some(true) {
            self.new_line();
        }
        self.json.push(bracket);
    }

    /// Begins the next element of an array.
    pub(super) fn element(&mut self) {
        if let Some(filled) = self.open.last_mut()
            && std::mem::replace(filled, true)
        {
            self.json.push(',');
        }
        self.new_line();
    }

    /// Begins the next member of an object.
    pub(super) fn key(&mut self, key: &str) {
        self.element();
        self.string(key);
        self.json.push_str(if self.pretty { ": " } else { ":" });
    }

    /// Appends text that is JSON already.
    pub(super) fn raw(&mut self, json: &str) {
        self.json.push_str(json);
    }

    pub(super) fn string(&mut self, text: &str) {
        self.json.push('"');
        for c in text.chars() {
            match c {
                '"' => self.json.push_str("\\\""),
                '\\' => self.json.push_str("\\\\"),
                '\n' => self.json.push_str("\\n"),
                '\r' => self.json.push_str("\\r"),
                '\t' => self.json.push_str("\\t"),
                // Harmless inside of an HTML page and of a script.
                '<' | '>' | '\u{2028}' | '\u{2029}' => self.escape(c),
                c if c.is_control() => self.escape(c),
                c => self.json.push(c),
            }
        }
        self.json.push('"');
    }

    pub(super) fn base64(&mut self, bytes: &[u8]) {
        self.json.push('"');
        STANDARD.encode_string(bytes, &mut self.json);
        self.json.push('"');
    }

    /// A float: the shortest text that reads as the same number, or one of three names.
    pub(super) fn float<F: ryu::Float + Into<f64>>(&mut self, value: F) {
        let wide: f64 = value.into();
        if wide.is_nan() {
            self.string("NaN");
        } else if wide.is_infinite() {
            self.string(if wide > 0.0 { "Infinity" } else { "-Infinity" });
        } else {
            self.json.push_str(ryu::Buffer::new().format_finite(value));
        }
    }

    /// Escapes a character of the basic plane.
    fn escape(&mut self, c: char) {
        // Writing to a string cannot fail.
        let _ = write!(self.json, "\\u{:04x}", u32::from(c));
    }

    fn new_line(&mut self) {
        if self.pretty {
            self.json.push('\n');
            for _ in 0..self.open.len() {
                self.json.push_str("  ");
            }
        }
    }
}
