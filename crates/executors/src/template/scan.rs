//! Finding the templates in a text.

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Stands for itself.
    Literal(&'a str),
    /// A template's name, without braces and blanks.
    Template(&'a str),
}

/// The parts of `text`, in order.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = next_piece(rest);
        rest = after;
        Some(piece)
    })
}

/// The template that makes up the whole of `text`, if one does.
pub(super) fn sole_template(text: &str) -> Option<&str> {
    let mut pieces = pieces(text);
    match (pieces.next(), pieces.next()) {
        (Some(Piece::Template(name)), None) => Some(name),
        _ => None,
    }
}

fn next_piece(text: &str) -> (Piece<'_>, &str) {
    let Some(open) = text.find("{{") else {
        return (Piece::Literal(text), "");
    };
    if open > 0 {
        return (Piece::Literal(&text[..open]), &text[open..]);
    }
    let inside = &text[2..];
    if let Some(after) = inside.strip_prefix("{{") {
        return (Piece::Literal("{{"), after);
    }
    match inside.split_once("}}") {
        Some((name, after)) => (Piece::Template(name.trim()), after),
        None => (Piece::Literal(text), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::Piece::{Literal, Template};
    use super::*;

    fn all(text: &str) -> Vec<Piece<'_>> {
        pieces(text).collect()
    }

    #[test]
    fn templates_are_found_among_literal_text() {
        assert_eq!(all("a{{Today}}b{{ Now }}"), [Literal("a"), Template("Today"), Literal("b"), Template("Now")]);
        assert_eq!(all("{\"a\":{\"b\":{{X}}}}"), [Literal("{\"a\":{\"b\":"), Template("X"), Literal("}}")]);
        assert_eq!(all(""), []);
    }

    #[test]
    fn doubled_and_unclosed_braces_stand_for_themselves() {
        assert_eq!(all("{{{{name}}"), [Literal("{{"), Literal("name}}")]);
        assert_eq!(all("{{Today"), [Literal("{{Today")]);
        assert_eq!(all("{x} }}"), [Literal("{x} }}")]);
    }

    #[test]
    fn a_sole_template_is_the_whole_text() {
        assert_eq!(sole_template("{{ Payload.x }}"), Some("Payload.x"));
        assert_eq!(sole_template(" {{Payload.x}}"), None);
        assert_eq!(sole_template("{{A}}{{B}}"), None);
    }
}
