//! `horarium completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;

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
        clap_complete::generate(self.shell, &mut Cli::command(), "horarium", &mut std::io::stdout());
    }
}
