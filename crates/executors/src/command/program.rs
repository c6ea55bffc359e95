//! From a job's configuration to a program that may be run.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use horarium_domain::execution::Failure;
use horarium_domain::job::CommandLine;
use horarium_process::Program;
use horarium_scheduler_engine::Run;

use super::{CommandSettings, InvalidCommandSettings};
use crate::template::Renderer;

/// What the operator listed, as it is on disk.
#[derive(Debug)]
pub(super) struct Programs {
    programs: Vec<Listed>,
    directory: PathBuf,
}

#[derive(Debug)]
struct Listed {
    named: PathBuf,
    file: PathBuf,
}

impl Programs {
    pub(super) fn new(settings: &CommandSettings) -> Result<Self, InvalidCommandSettings> {
        let programs = settings.programs.iter().map(|path| listed(path)).collect::<Result<_, _>>()?;
        let directory = canonical(&settings.directory)?;
        if directory.is_dir() { Ok(Self { programs, directory }) } else { Err(invalid(&directory, "it is no folder")) }
    }

    /// Fills the templates of `line` and checks it against what is listed.
    pub(super) fn prepare(
        &self,
        line: &CommandLine,
        run: &Run,
        settings: &CommandSettings,
    ) -> Result<Program, Failure> {
        let mut renderer = settings.templates.renderer(run);
        let file = self.find(&fill(&mut renderer, "command", &line.command)?)?;
        let args = line.args.iter().map(|arg| fill(&mut renderer, "args", arg)).collect::<Result<_, _>>()?;
        let directory = match &line.working_directory {
            Some(path) => self.below(&fill(&mut renderer, "workingDirectory", path)?)?,
            None => self.directory.clone(),
        };
        let mut environment = BTreeMap::from([("PATH".to_owned(), settings.path.clone())]);
        for (name, value) in &line.env {
            if !settings.environment.contains(name) {
                return Err(Failure::permanent(format!(
                    "jobConfiguration.env.{name}: an operator has to list this variable before jobs may set it"
                )));
            }
            environment.insert(name.clone(), fill(&mut renderer, &format!("env.{name}"), value)?);
        }
        environment.insert("HORARIUM_EXECUTION_ID".to_owned(), run.execution_id.to_string());
        environment.insert("HORARIUM_ATTEMPT".to_owned(), run.attempt.to_string());
        environment.insert("HORARIUM_JOB_ID".to_owned(), run.job.id.to_string());
        let input = run.payload.as_ref().map(|payload| payload.to_string().into_bytes());
        Ok(Program { file, args, environment, directory: Some(directory), input })
    }

    fn find(&self, command: &str) -> Result<PathBuf, Failure> {
        let path = Path::new(command);
        let is_bare = path.components().count() == 1;
        let mut found = self.programs.iter().filter(|listed| {
            listed.named == path
                || listed.file == path
                || (is_bare && listed.named.file_name() == Some(path.as_os_str()))
        });
        match (found.next(), found.next()) {
            (Some(listed), None) => Ok(listed.file.clone()),
            (Some(_), Some(_)) => Err(Failure::permanent(format!(
                "jobConfiguration.command: several listed programs are called '{command}'; give the whole path"
            ))),
            (None, _) => Err(Failure::permanent(format!(
                "jobConfiguration.command: '{command}' is not among the programs that the operator lists for jobs"
            ))),
        }
    }

    /// A folder below the operator's, whatever links and dots lie on the way.
    fn below(&self, path: &str) -> Result<PathBuf, Failure> {
        let refused = |problem: &str| Failure::permanent(format!("jobConfiguration.workingDirectory: {problem}"));
        let folder = self.directory.join(path).canonicalize();
        let folder = folder.map_err(|error| refused(&format!("'{path}' cannot be used: {error}")))?;
        if !folder.starts_with(&self.directory) {
            Err(refused(&format!("'{path}' is not below the folder that the operator sets aside for commands")))
        } else if folder.is_dir() {
            Ok(folder)
        } else {
            Err(refused(&format!("'{path}' is no folder")))
        }
    }
}

fn listed(path: &Path) -> Result<Listed, InvalidCommandSettings> {
    if !path.is_absolute() {
        return Err(invalid(path, "a program is listed by its absolute path"));
    }
    let file = canonical(path)?;
    let metadata = file.metadata().map_err(|error| invalid(path, &error.to_string()))?;
    if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
        Ok(Listed { named: path.to_owned(), file })
    } else {
        Err(invalid(path, "it is no executable file"))
    }
}

fn canonical(path: &Path) -> Result<PathBuf, InvalidCommandSettings> {
    path.canonicalize().map_err(|error| invalid(path, &error.to_string()))
}

fn invalid(path: &Path, problem: &str) -> InvalidCommandSettings {
    InvalidCommandSettings { path: path.to_owned(), problem: problem.to_owned() }
}

fn fill(renderer: &mut Renderer<'_>, field: &str, text: &str) -> Result<String, Failure> {
    let filled = renderer.text(text).map_err(|error| error.in_field(field))?;
    if filled.contains('\0') {
        Err(Failure::permanent(format!("jobConfiguration.{field}: holds a NUL character")))
    } else {
        Ok(filled)
    }
}
