//! The `petrel` binary: command line in, exit code out. What it does lives in
//! `petrel-node`.

mod admin;
#[cfg(feature = "jemalloc")]
mod allocator;
mod backup;
mod completions;
mod config;
mod doctor;
mod exit;
mod logging;
mod picture;
mod serve;
mod service;
mod settings;
mod token;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// Petrel is a complete instant-messaging server in one binary.
///
/// `petrel serve` starts it on the embedded engine: SQLite and files in one data
/// directory, nothing else to install.
#[derive(Debug, Parser)]
#[command(name = "petrel", version, after_help = exit::HELP, propagate_version = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Admin(admin::Admin),
    Backup(backup::Backup),
    #[command(subcommand)]
    Config(config::Config),
    Completions(completions::Completions),
    #[command(hide = true)]
    DecodePicture(picture::DecodePicture),
    Doctor(doctor::Doctor),
    Restore(backup::Restore),
    Serve(serve::Serve),
    Token(token::Token),
    Verify(verify::Verify),
}

fn main() -> ExitCode {
    let done = match CommandLine::parse().command {
        Command::Admin(admin) => admin.run(),
        Command::Backup(backup) => backup.run(),
        Command::Config(config) => config.run(),
        Command::Completions(completions) => completions.run(CommandLine::command()),
        Command::DecodePicture(picture) => picture.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Restore(restore) => restore.run(),
        Command::Serve(serve) => serve.run(),
        Command::Token(token) => token.run(),
        Command::Verify(verify) => verify.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
