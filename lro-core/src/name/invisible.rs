//! Characters that a reader cannot see, or that show a name as another one.

/// Whether the character is invisible, changes the direction of text, or never stands for text.
///
/// These are Unicode's default-ignorable code points (zero-width, bidirectional and format controls,
/// fillers, variation selectors, tags), the interlinear annotation controls, the blank braille
/// pattern, and noncharacters.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{fdd0}'..='\u{fdef}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
        // The last two of each plane are noncharacters.
        || u32::from(c) & 0xfffe == 0xfffe
}

/// The character as an error shows it.
pub(super) fn escaped(c: char) -> String {
    if is_invisible(c) {
        c.escape_unicode().to_string()
    } else {
        c.escape_debug().to_string()
    }
}
