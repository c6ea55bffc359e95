//! Filling templates, in the way that each place needs.

use std::fmt::Write as _;
use std::ops::Range;

use horarium_scheduler_engine::Run;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::scan::{Piece, pieces, sole_template};
use super::values::{is_payload, text_of, value_of};
use super::{TemplateError, url_path};

/// Fills the templates of one attempt's configuration.
#[derive(Debug)]
pub struct Renderer<'a> {
    run: &'a Run,
    machine_name: &'a str,
    /// How many bytes may still be inserted.
    left: usize,
}

/// What a value must not break out of.
#[derive(Debug, Clone, Copy)]
enum Place {
    Text,
    UrlComponent,
    JsonString,
    FilePath,
    FilePattern,
}

impl<'a> Renderer<'a> {
    /// How many bytes of values one attempt's templates may insert altogether: 8 MiB. A configuration that repeats
    /// `{{Payload}}` could otherwise blow a large payload up without bound.
    pub const MAX_INSERTED: usize = 8 * 1024 * 1024;

    pub(super) const fn new(run: &'a Run, machine_name: &'a str) -> Self {
        Self { run, machine_name, left: Self::MAX_INSERTED }
    }

    /// A text in which values stand as they are.
    pub fn text(&mut self, text: &str) -> Result<String, TemplateError> {
        self.fill(text, Place::Text).map(|(filled, _)| filled)
    }

    /// A URL, in which values are percent-encoded and stay within their path segment.
    pub fn url(&mut self, text: &str) -> Result<String, TemplateError> {
        let (url, values) = self.fill(text, Place::UrlComponent)?;
        url_path::check(&url, &values)?;
        Ok(url)
    }

    /// A file's path. A value is a name in it, unless the text is nothing but one template.
    pub fn path(&mut self, text: &str) -> Result<String, TemplateError> {
        self.fill(text, Place::FilePath).map(|(filled, _)| filled)
    }

    /// A pattern of paths (see [`glob::Pattern`]). As in [`Renderer::path`], and values stand for themselves: a `*` in
    /// one is no wildcard.
    pub fn pattern(&mut self, text: &str) -> Result<String, TemplateError> {
        self.fill(text, Place::FilePattern).map(|(filled, _)| filled)
    }

    /// A header's value, which stays on its line.
    pub fn header(&mut self, text: &str) -> Result<String, TemplateError> {
        let value = self.text(text)?;
        if value.chars().any(|c| c.is_control() && c != '\t') {
            Err(TemplateError::ControlCharacter)
        } else {
            Ok(value)
        }
    }

    /// A JSON value: templates in its strings, at any depth, stay inside them. A string that is nothing but one
    /// `{{Payload.…}}` becomes that part of the payload, whatever its type.
    pub fn json(&mut self, value: &Value) -> Result<Value, TemplateError> {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
            Value::String(text) => self.json_string(text),
            Value::Array(items) => items.iter().map(|item| self.json(item)).collect(),
            Value::Object(members) => self.map(members).map(Value::Object),
        }
    }

    /// The members of a JSON object, as [`Renderer::json`] does; their names stay as they are.
    pub fn map(&mut self, members: &Map<String, Value>) -> Result<Map<String, Value>, TemplateError> {
        members.iter().map(|(name, member)| Ok((name.clone(), self.json(member)?))).collect()
    }

    /// The body of a request with this content type. In a text, values are escaped for JSON when it is a JSON document,
    /// and percent-encoded when it is a form; in any other text they stand as they are. What is no text is
    /// [JSON](Self::json), and so is a text that is nothing but one `{{Payload.…}}`.
    pub fn body(&mut self, body: &Value, content_type: Option<&str>) -> Result<Value, TemplateError> {
        let text = match body {
            Value::String(text) if !sole_template(text).is_some_and(is_payload) => text,
            _ => return self.json(body),
        };
        let is_form = |of: &str| of.trim().to_ascii_lowercase().starts_with("application/x-www-form-urlencoded");
        let place = if serde_json::from_str::<IgnoredAny>(text).is_ok() {
            Place::JsonString
        } else if content_type.is_some_and(is_form) {
            Place::UrlComponent
        } else {
            Place::Text
        };
        self.fill(text, place).map(|(filled, _)| Value::String(filled))
    }

    fn json_string(&mut self, text: &str) -> Result<Value, TemplateError> {
        if let Some(name) = sole_template(text).filter(|name| is_payload(name)) {
            let value = value_of(name, self.run, self.machine_name)?;
            self.take(text_of(&value).map_or(0, |text| text.len()))?;
            return Ok(value.into_owned());
        }
        self.text(text).map(Value::String)
    }

    /// The filled text and where in it the values are.
    fn fill(&mut self, text: &str, place: Place) -> Result<(String, Vec<Range<usize>>), TemplateError> {
        let mut filled = String::with_capacity(text.len());
        let mut values = Vec::new();
        for piece in pieces(text) {
            let name = match piece {
                Piece::Literal(literal) => {
                    filled.push_str(literal);
                    continue;
                }
                Piece::Template(name) => name,
            };
            let value = value_of(name, self.run, self.machine_name)?;
            let value = text_of(&value).ok_or_else(|| TemplateError::Null(name.to_owned()))?;
            self.take(value.len())?;
            let is_in_path = matches!(place, Place::FilePath | Place::FilePattern) && sole_template(text).is_none();
            if is_in_path && !is_file_name(&value) {
                return Err(TemplateError::FileName(value.into_owned()));
            }
            let start = filled.len();
            match place {
                Place::Text | Place::FilePath => filled.push_str(&value),
                Place::FilePattern => filled.push_str(&glob::Pattern::escape(&value)),
                Place::UrlComponent => push_percent_encoded(&mut filled, &value),
                Place::JsonString => push_json_escaped(&mut filled, &value),
            }
            values.push(start..filled.len());
        }
        Ok((filled, values))
    }

    fn take(&mut self, bytes: usize) -> Result<(), TemplateError> {
        self.left = self.left.checked_sub(bytes).ok_or(TemplateError::TooLarge)?;
        Ok(())
    }
}

/// Leaves only RFC 3986's unreserved characters as they are.
fn push_percent_encoded(target: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            target.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(target, "%{byte:02X}");
        }
    }
}

/// Whether a value leaves the parts of a path as they are.
fn is_file_name(value: &str) -> bool {
    !matches!(value, "" | "." | "..") && !value.contains(['/', '\\', '\0'])
}

fn push_json_escaped(target: &mut String, value: &str) {
    let quoted = Value::from(value).to_string();
    target.push_str(&quoted[1..quoted.len() - 1]);
}
