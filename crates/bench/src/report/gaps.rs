//! Why goals are missed: what people found out, from a file that they write by hand.

use std::io::ErrorKind;
use std::path::Path;

use crate::Failure;

/// Beside the results.
const FILE: &str = "gaps.md";

/// The file's parts, each under a goal's key as its heading.
pub(super) struct Gaps(String);

impl Gaps {
    /// Of a folder of results; a missing file explains nothing.
    pub(super) fn read(folder: &Path) -> Result<Self, Failure> {
        match std::fs::read_to_string(folder.join(FILE)) {
            Ok(text) => Ok(Self(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self(String::new())),
            Err(error) => Err(error.into()),
        }
    }

    /// What is said of a goal.
    pub(super) fn of(&self, goal: &str) -> Option<&str> {
        let is_its_own = |part: &&str| part.lines().next().is_some_and(|heading| heading.trim() == goal);
        let part = self.0.split("\n## ").skip(1).find(is_its_own)?;
        let said = part.split_once('\n')?.1.trim();
        (!said.is_empty()).then_some(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_goal_has_what_stands_under_its_heading() {
        let gaps = Gaps("# Why\n\nWords.\n\n## drain\n\nIt is\nslow.\n\n## pickup\n\n## http\nSo be it.\n".to_owned());
        assert_eq!(gaps.of("drain"), Some("It is\nslow."));
        assert_eq!(gaps.of("http"), Some("So be it."));
        assert_eq!([gaps.of("pickup"), gaps.of("enqueue")], [None, None]);
    }

    #[test]
    fn without_a_file_nothing_is_explained() {
        assert_eq!(Gaps::read(tempfile::tempdir().unwrap().path()).unwrap().of("drain"), None);
    }
}
