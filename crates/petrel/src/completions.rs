//! `petrel completions`.

use std::io::{self, Write};

use clap::{Args, Command};
use clap_complete::Shell;

use crate::exit::Failure;

/// Print a script that completes commands and options in a shell
///
/// bash:  petrel completions bash > ~/.local/share/bash-completion/completions/petrel
/// zsh:   petrel completions zsh > ~/.zfunc/_petrel   (with ~/.zfunc in fpath)
/// fish:  petrel completions fish > ~/.config/fish/completions/petrel.fish
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, mut command: Command) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "petrel", &mut script);
        let mut out = io::stdout().lock();
        out.write_all(&script).and_then(|()| out.flush()).map_err(Failure::running)
    }
}
