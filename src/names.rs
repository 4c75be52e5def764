//! Text from outside, made inert: names and titles are written by whoever wrote a scenario or a record, and none
//! of them may steer a terminal, begin a formula in a spreadsheet, or become a link or a tag in a ticket.

use std::borrow::Cow;

/// Characters that are not seen and move or hide others: direction marks, joiners, the byte order mark.
///
/// Source: Unicode Standard Annex 9, section 2 (explicit directional formatting), and Technical Report 36.
const fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

/// `text` without characters that steer: a blank in place of each.
///
/// ```
/// assert_eq!(portsim::names::tame("a\u{1b}[31mb\u{202e}c"), "a [31mb c");
/// ```
#[must_use]
pub fn tame(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() || is_hidden(c);
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if steers(c) { ' ' } else { c }).collect())
}

/// `text` as a cell of CSV that no spreadsheet takes for a formula: behind an apostrophe where it begins like one.
///
/// Source: OWASP, "CSV Injection".
///
/// ```
/// assert_eq!(portsim::names::cell("=1+1"), "'=1+1");
/// assert_eq!(portsim::names::cell("crawler"), "crawler");
/// ```
#[must_use]
pub fn cell(text: &str) -> Cow<'_, str> {
    let text = tame(text);
    if text.trim_start().starts_with(['=', '+', '-', '@']) {
        return Cow::Owned(format!("'{text}"));
    }
    text
}

/// `text` in Markdown, as it is: neither markup, nor HTML, nor a link, nor a mention, nor the end of a cell.
///
/// ```
/// assert_eq!(portsim::names::markdown("<b>[a](http://b)|c"), "&lt;b&gt;\\[a\\](http:&#47;/b)\\|c");
/// ```
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut inert = String::with_capacity(text.len());
    for c in tame(text).chars() {
        match c {
            '<' => inert.push_str("&lt;"),
            '>' => inert.push_str("&gt;"),
            '&' => inert.push_str("&amp;"),
            '@' => inert.push_str("&#64;"),
            '\\' | '|' | '[' | ']' | '`' | '*' | '#' | '~' | '!' => {
                inert.push('\\');
                inert.push(c);
            }
            c => inert.push(c),
        }
    }
    // What would be made a link by itself.
    inert.replace("://", ":&#47;/").replace("www.", "www&#46;")
}
