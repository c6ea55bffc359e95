//! Which programs an agent may run.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{CommandsAllowed, InvalidAllowance, Problem};

/// The shell that lines are for.
const SHELL: &str = "/bin/sh";

/// Where programs are looked for when the agent has no PATH.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the operator allows, as it was on disk when the agent started.
#[derive(Debug)]
pub(super) enum Programs {
    All,
    Listed(Vec<Listed>),
}

/// A listed program. What counts is the file behind all links, so that a link put in its place later leads nowhere new.
#[derive(Debug)]
pub(super) struct Listed {
    named: PathBuf,
    file: PathBuf,
}

impl Programs {
    /// Finds what is listed; `None` when nothing is allowed.
    pub(super) fn find(allowed: &CommandsAllowed) -> Result<Option<Self>, InvalidAllowance> {
        match allowed {
            CommandsAllowed::None => Ok(None),
            CommandsAllowed::All => Ok(Some(Self::All)),
            CommandsAllowed::Listed(programs) => {
                let listed = programs.iter().map(|program| listed(program)).collect::<Result<_, _>>()?;
                Ok(Some(Self::Listed(listed)))
            }
        }
    }

    /// The file of the program `command`: a name, or an absolute path.
    pub(super) fn get(&self, command: &str) -> Result<PathBuf, Problem> {
        let path = Path::new(command);
        let is_bare = is_bare(path);
        if !is_bare && !path.is_absolute() {
            return Err(Problem::permanent(format!(
                "data: command is a program's name or its absolute path, and '{command}' is neither"
            )));
        }
        match self {
            Self::All if is_bare => {
                in_path(path).ok_or_else(|| Problem::permanent(format!("'{command}' is not in this agent's PATH")))
            }
            Self::All => Ok(path.to_owned()),
            Self::Listed(programs) => {
                let is_meant = |listed: &&Listed| {
                    listed.named == path
                        || listed.file == path
                        || (is_bare && listed.named.file_name() == Some(path.as_os_str()))
                };
                programs.iter().find(is_meant).map(|listed| listed.file.clone()).ok_or_else(|| {
                    Problem::permanent(format!(
                        "'{command}' is not among the programs that this agent's operator allows (--allow-commands)"
                    ))
                })
            }
        }
    }

    /// The shell, if lines for it may be run: a shell can run everything, so it takes being allowed by name.
    pub(super) fn shell(&self) -> Option<&Path> {
        match self {
            Self::All => Some(Path::new(SHELL)),
            Self::Listed(programs) => programs
                .iter()
                .find(|listed| listed.named.file_name().is_some_and(|name| name == "sh"))
                .map(|listed| listed.file.as_path()),
        }
    }
}

/// The PATH that programs are looked for in, and that they see.
pub(super) fn search_path() -> String {
    std::env::var("PATH").ok().filter(|path| !path.is_empty()).unwrap_or_else(|| USUAL_PATH.to_owned())
}

fn listed(program: &str) -> Result<Listed, InvalidAllowance> {
    let invalid =
        |problem: &str| InvalidAllowance::Program { program: program.to_owned(), problem: problem.to_owned() };
    let path = Path::new(program);
    let named = if path.is_absolute() {
        path.to_owned()
    } else if is_bare(path) {
        in_path(path).ok_or_else(|| invalid("it is not in PATH"))?
    } else {
        return Err(invalid("a program is listed by its name or its absolute path"));
    };
    let file = named.canonicalize().map_err(|error| invalid(&error.to_string()))?;
    if is_program(&file) { Ok(Listed { named, file }) } else { Err(invalid("it is no executable file")) }
}

fn is_bare(path: &Path) -> bool {
    path.file_name() == Some(path.as_os_str())
}

fn in_path(name: &Path) -> Option<PathBuf> {
    std::env::split_paths(&search_path())
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(programs: &[&str]) -> Programs {
        let allowed = CommandsAllowed::Listed(programs.iter().map(|&program| program.to_owned()).collect());
        Programs::find(&allowed).unwrap().unwrap()
    }

    #[test]
    fn only_what_is_listed_may_be_run_by_name_or_path() {
        let programs = listed(&["echo", "/bin/cat"]);
        assert!(programs.get("echo").unwrap().is_absolute());
        assert!(programs.get("cat").is_ok());
        assert!(programs.get("/bin/cat").is_ok());
        for refused in ["ls", "/bin/ls", "./cat", "bin/cat", "/tmp/../bin/cat", "cat ", "", "."] {
            assert!(programs.get(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_list_allows_lines_for_a_shell_only_if_the_shell_is_on_it() {
        assert!(listed(&["echo"]).shell().is_none());
        assert!(listed(&["echo", "sh"]).shell().is_some());
        assert!(Programs::All.shell().is_some());
    }

    #[test]
    fn what_is_not_there_is_told_at_the_start() {
        for program in ["no-such-program", "/no/such/program", "bin/sh", "/etc"] {
            let allowed = CommandsAllowed::Listed(vec![program.to_owned()]);
            let error = Programs::find(&allowed).unwrap_err().to_string();
            assert!(error.contains(program), "{error}");
        }
    }
}
