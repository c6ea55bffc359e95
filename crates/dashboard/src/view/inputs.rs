//! What was typed into a form, and what is wrong with it.

use horarium_scheduler_engine::service::FieldErrors;

use super::Field;
use super::field::Control;

/// What was typed into a form, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Inputs {
    /// Every field that may be typed into, and its label.
    labels: &'static [(&'static str, &'static str)],
    values: Vec<(String, String)>,
    problems: Vec<Problem>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The field to mend, if the form has one for it.
    pub(crate) field: Option<&'static str>,
    /// What it is called.
    pub(crate) label: String,
    /// What is wrong with it.
    pub(crate) text: String,
}

impl Inputs {
    /// What a form was posted with. `labels` names every field of it, as a service names what is wrong with it.
    pub(crate) fn new(labels: &'static [(&'static str, &'static str)], values: Vec<(String, String)>) -> Self {
        Self { labels, values, problems: Vec::new() }
    }

    /// What a field says; nothing when it was not sent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.values.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value.trim())
    }

    /// What a field says with the blanks around it; line breaks as browsers show them.
    pub(crate) fn text(&self, name: &str) -> String {
        let found = self.values.iter().find(|(given, _)| given == name);
        found.map_or_else(String::new, |(_, value)| value.replace("\r\n", "\n"))
    }

    /// All that fields of one name say.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Whether a field, or one of its name, says this.
    pub(crate) fn is(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|given| given == value)
    }

    /// Has a field say something, in place of all that it said.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.set_all(name, [value.into()]);
    }

    /// Has fields of one name say these, in place of all that they said.
    pub(crate) fn set_all(&mut self, name: &str, values: impl IntoIterator<Item = String>) {
        self.values.retain(|(given, _)| given != name);
        self.values.extend(values.into_iter().map(|value| (name.to_owned(), value)));
    }

    /// Notes what is wrong. A problem with a part of a field, such as `tags[3]`, is that field's.
    pub(crate) fn blame(&mut self, errors: &FieldErrors) {
        for (key, messages) in errors.as_map() {
            let owners = self.labels.iter().filter(|(name, _)| is_part(key, name));
            let owner = owners.max_by_key(|(name, _)| name.len());
            let told = messages.join("; ");
            let (field, label, text) = match owner {
                Some((name, label)) if name == key => (Some(*name), (*label).to_owned(), told),
                Some((name, label)) => (Some(*name), (*label).to_owned(), format!("{key}: {told}")),
                None => (None, key.clone(), told),
            };
            self.problems.push(Problem { field, label, text });
        }
    }

    /// What is wrong.
    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// A field of one line.
    pub(crate) fn line(&self, name: &str, hint: &str) -> Field {
        self.field(name, hint, Control::Line("text"))
    }

    /// A field for a number.
    pub(crate) fn number(&self, name: &str, hint: &str) -> Field {
        self.field(name, hint, Control::Line("number"))
    }

    /// A field for a date and a time on some clock.
    pub(crate) fn moment(&self, name: &str, hint: &str) -> Field {
        self.field(name, hint, Control::Line("datetime-local"))
    }

    /// A field for an instant: the viewer's clock shows it, and [`time::instant`](super::time::instant) reads it.
    pub(crate) fn instant(&self, name: &str, hint: &str) -> Field {
        Field { is_utc: true, ..self.moment(name, hint) }
    }

    /// A field for a time of day.
    pub(crate) fn time(&self, name: &str, hint: &str) -> Field {
        self.field(name, hint, Control::Line("time"))
    }

    /// A field of several lines.
    pub(crate) fn lines(&self, name: &str, hint: &str) -> Field {
        Field { value: self.text(name), ..self.field(name, hint, Control::Text) }
    }

    /// A field for one of several values, each with its words.
    pub(crate) fn choice(&self, name: &str, hint: &str, choices: &[(&str, &str)]) -> Field {
        let choices = choices.iter().map(|(value, words)| ((*value).to_owned(), (*words).to_owned()));
        self.field(name, hint, Control::Choice(choices.collect()))
    }

    /// A field for yes or no.
    pub(crate) fn check(&self, name: &str, hint: &str) -> Field {
        self.field(name, hint, Control::Check)
    }

    fn field(&self, name: &str, hint: &str, control: Control) -> Field {
        let label = self.labels.iter().find(|(given, _)| *given == name).map_or(name, |(_, label)| *label);
        let problems = self.problems.iter().filter(|problem| problem.field == Some(name));
        Field {
            name: name.to_owned(),
            label: label.to_owned(),
            hint: hint.to_owned(),
            value: self.get(name).to_owned(),
            control,
            problem: problems.map(|problem| problem.text.as_str()).collect::<Vec<_>>().join("; "),
            is_required: false,
            is_wide: false,
            is_utc: false,
            when: String::new(),
            list: String::new(),
        }
    }
}

/// Whether a problem's key names a field or a part of it.
fn is_part(key: &str, name: &str) -> bool {
    key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: &[(&str, &str)] = &[("name", "Name"), ("tags", "Tags"), ("call", "Call"), ("call.url", "Address")];

    fn typed(pairs: &[(&str, &str)]) -> Inputs {
        Inputs::new(LABELS, pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn what_is_wrong_is_said_at_its_field() {
        let mut errors = FieldErrors::default();
        for key in ["name", "tags[3]", "call.url", "call.method", "queue"] {
            errors.add(key, "is wrong");
        }
        let mut inputs = typed(&[]);
        inputs.blame(&errors);
        let told: Vec<_> = inputs.problems().iter().map(|it| (it.field, it.label.as_str(), it.text.as_str())).collect();
        assert_eq!(
            told,
            [
                (Some("call"), "Call", "call.method: is wrong"),
                (Some("call.url"), "Address", "is wrong"),
                (Some("name"), "Name", "is wrong"),
                (None, "queue", "is wrong"),
                (Some("tags"), "Tags", "tags[3]: is wrong"),
            ]
        );
        let html = inputs.line("name", "Short.").required().to_string();
        for part in [r#"aria-invalid="true""#, r#"aria-describedby="h-name p-name""#, "is wrong", "required"] {
            assert!(html.contains(part), "{html}");
        }
    }

    #[test]
    fn what_was_typed_is_shown_again_as_text() {
        let mut inputs = typed(&[("name", " a\"<b> "), ("tags", "x"), ("tags", "y"), ("call", "1\r\n2 ")]);
        assert_eq!((inputs.get("name"), inputs.get("other")), ("a\"<b>", ""));
        assert!(inputs.is("tags", "y") && !inputs.is("tags", "z"));
        assert_eq!(inputs.text("call"), "1\n2 ");
        let html = inputs.line("name", "").to_string();
        assert!(!html.contains("<b>") && !html.contains("\"<"), "{html}");
        inputs.set("tags", "z");
        assert_eq!(inputs.all("tags").collect::<Vec<_>>(), ["z"]);
        let html = inputs.choice("tags", "", &[("y", "Why"), ("z", "Zed")]).to_string();
        assert!(html.contains(r#"<option value="z" selected>Zed</option>"#), "{html}");
    }
}
