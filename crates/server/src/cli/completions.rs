//! `horarium completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, output};

/// Writes completions for a shell to stdout.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  horarium completions bash > ~/.local/share/bash-completion/completions/horarium
  horarium completions zsh > ~/.zfunc/_horarium
  horarium completions fish > ~/.config/fish/completions/horarium.fish")]
pub(super) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) {
        let mut script = Vec::new();
        // Into memory first: it panics where it cannot write, as into the pipe of a reader that has gone away.
        clap_complete::generate(self.shell, &mut Cli::command(), "horarium", &mut script);
        output::line(String::from_utf8_lossy(&script).trim_end());
    }
}
