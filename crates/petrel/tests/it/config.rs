//! Settings: where they come from, which of them win, and what is said of wrong ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Result, ensure};
use petrel_testkit::client::Connect;
use tempfile::TempDir;

use crate::support::{ALICE, BOB, PETREL, launcher};

/// Runs `petrel` somewhere, with these variables and no others of its own.
fn petrel(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Output> {
    let mut command = Command::new(PETREL);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PETREL_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).envs(variables.iter().copied()).current_dir(directory);
    Ok(command.output()?)
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_file_a_variable_and_an_option_win_in_this_order() -> Result<()> {
    let directory = TempDir::new()?;
    let file = directory.path().join("petrel.toml");
    fs::write(
        &file,
        "[gateway]\nlisten = \"127.0.0.1:1001\"\nconnections_max = 7\n[log]\nformat = \"json\"\n",
    )?;
    let check = &["config", "check"];
    // The file is found where the server is started.
    let shown = petrel(directory.path(), check, &[("PETREL_GATEWAY__LISTEN", "127.0.0.1:1002")])?;
    ensure!(shown.status.code() == Some(0), "{shown:?}");
    let text = out(&shown);
    let line = |start: &str| {
        text.lines().find(|line| line.starts_with(start)).unwrap_or_default().to_owned()
    };
    let listen: Vec<_> = text.lines().filter(|line| line.starts_with("listen = ")).collect();
    assert!(listen.iter().any(|line| {
        line.contains("127.0.0.1:1002") && line.ends_with("# PETREL_GATEWAY__LISTEN")
    }));
    assert!(line("connections_max = 7").ends_with("# petrel.toml:3"), "{text}");
    assert!(line("format = \"json\"").ends_with("# petrel.toml:5"), "{text}");
    assert_eq!(line("data_dir"), "data_dir = \"petrel-data\"", "a default has no source");
    // What is printed is itself a configuration.
    let again = directory.path().join("again.toml");
    fs::write(&again, &text)?;
    let again = petrel(directory.path(), &["config", "check", "again.toml"], &[])?;
    assert_eq!(again.status.code(), Some(0), "{}", err(&again));
    Ok(())
}

#[tokio::test]
async fn a_server_does_what_its_file_and_its_options_say() -> Result<()> {
    let directory = TempDir::new()?;
    let file = directory.path().join("some.toml");
    // Load-test users are let in by the file; a variable takes all connections but one.
    fs::write(&file, "[identity]\nbench_issuer = \"loopback\"\n[gateway]\nconnections_max = 50\n")?;
    let launcher = launcher()?
        .argument("--config")
        .argument(&file)
        .variable("PETREL_GATEWAY__CONNECTIONS_MAX", "1");
    let server = launcher.start().await?;
    let _alice = server.connect(ALICE, "phone").await?;
    let refused = Connect::to(server.gateway_address()).refused().await?;
    assert_eq!(refused.status, 503, "{refused:?}");
    // Gone for certain: the next one wants its data.
    server.kill().await?;

    let server = launcher.argument("--connections-max").argument("2").start().await?;
    let _alice = server.connect(ALICE, "phone").await?;
    let _second = server.connect(ALICE, "laptop").await?;
    assert_eq!(Connect::to(server.gateway_address()).refused().await?.status, 503);
    Ok(())
}

#[tokio::test]
async fn unknown_settings_keep_a_server_from_starting() -> Result<()> {
    let directory = TempDir::new()?;
    let file = directory.path().join("petrel.toml");
    fs::write(&file, "[gateway]\n\nlissten = \"127.0.0.1:0\"\n")?;
    let of_file = launcher()?.argument("--config").argument(&file);
    let of_variable = launcher()?.variable("PETREL_HTTP_LISTEN", "127.0.0.1:0");
    let of_option = launcher()?.argument("--set").argument("gateway.conections_max=1");
    let missing = launcher()?.argument("--config").argument(directory.path().join("none.toml"));
    for (launcher, place, hint) in [
        (&of_file, format!("{}:3: ", file.display()), "did you mean gateway.listen?"),
        (&of_variable, "PETREL_HTTP_LISTEN: ".to_owned(), "PETREL_HTTP__LISTEN"),
        (&of_option, "--set gateway.conections_max: ".to_owned(), "gateway.connections_max?"),
        (&missing, "none.toml".to_owned(), "can't read the configuration"),
    ] {
        let exit = launcher.start_and_fail().await?;
        assert_eq!(exit.code, Some(3), "{exit:?}");
        assert_eq!(exit.stderr.lines().count(), 1, "{}", exit.stderr);
        assert!(exit.stderr.contains(&place) && exit.stderr.contains(hint), "{}", exit.stderr);
        assert_eq!(fs::read_dir(launcher.data())?.count(), 0, "something was touched");
    }
    Ok(())
}

#[tokio::test]
async fn variables_of_tests_and_of_kubernetes_do_no_harm() -> Result<()> {
    let server = launcher()?
        .variable("PETREL_CRASH_SEED", "1")
        .variable("PETREL_UPDATE", "1")
        .variable("PETREL_SERVICE_HOST", "10.0.0.1")
        .variable("PETREL_PORT", "tcp://10.0.0.1:8080");
    server.start().await?;
    let exit = launcher()?.variable("PETREL_PORT", "8080").start_and_fail().await?;
    assert_eq!(exit.code, Some(3), "{}", exit.stderr);
    Ok(())
}

#[tokio::test]
async fn every_command_finds_the_data_directory_that_the_server_finds() -> Result<()> {
    let directory = TempDir::new()?;
    let (data, copy) = (directory.path().join("somewhere"), directory.path().join("copy"));
    let text = format!("[server]\ndata_dir = {:?}\n", data.display().to_string());
    fs::write(directory.path().join("petrel.toml"), text)?;
    let server = launcher()?.data_directory(&data).bench_issuer().start().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    alice.chat(BOB, "m1", "hello").await?;
    alice.expect_saved().await?;

    let here = directory.path();
    let run = |arguments: &[&str]| petrel(here, arguments, &[]);
    let token = run(&["token", "1000001"])?;
    ensure!(token.status.success(), "{token:?}");
    let connect = Connect::to(server.gateway_address()).query("token", out(&token).trim());
    connect.open_authenticated().await?.expect_silence().await?;
    let backup = run(&["backup", "--to", "copy"])?;
    ensure!(backup.status.success() && copy.join("petrel.db").is_file(), "{backup:?}");
    // A server is at work in it, and so it is the right one.
    let refused = run(&["verify"])?;
    ensure!(err(&refused).contains(&data.display().to_string()), "{refused:?}");
    let asked = run(&["admin", "users", "list"])?;
    ensure!(out(&asked).contains("Nobody is found"), "{asked:?}");
    drop((alice, server));

    // What is named wins, and a configuration that is wrong is told.
    let named = run(&["verify", "--data-dir", "copy"])?;
    ensure!(out(&named).contains("Everything fits together"), "{named:?}");
    fs::write(here.join("other.toml"), "[server]\ndata_dir = \"restored\"\n")?;
    let restored = run(&["restore", "--from", "copy", "--config", "other.toml"])?;
    ensure!(restored.status.success() && here.join("restored").is_dir(), "{restored:?}");
    fs::write(here.join("petrel.toml"), "[server]\ndata_dri = \"x\"\n")?;
    let wrong = run(&["verify"])?;
    ensure!(wrong.status.code() == Some(3) && err(&wrong).contains("server.data_dir"), "{wrong:?}");
    Ok(())
}

#[test]
fn what_is_checked_is_what_a_server_would_read_however_it_is_named() -> Result<()> {
    let directory = TempDir::new()?;
    let here = directory.path();
    fs::write(here.join("petrel.toml"), "[gateway]\nconnections_max = 1\n")?;
    fs::write(here.join("other.toml"), "[gateway]\nconnections_max = 2\n")?;
    let check = |arguments: &[&str], variables: &[(&str, &str)]| {
        let all = [&["config", "check"], arguments].concat();
        petrel(here, &all, variables)
    };
    let variable = [("PETREL_CONFIG", "other.toml")];
    for (arguments, variables, expected) in [
        (&[][..], &[][..], 1),
        (&["other.toml"], &[], 2),
        (&["--config", "other.toml"], &[], 2),
        (&[], &variable, 2),
        (&["petrel.toml"], &variable, 1),
    ] {
        let shown = check(arguments, variables)?;
        ensure!(out(&shown).contains(&format!("connections_max = {expected} ")), "{shown:?}");
    }
    let both = check(&["petrel.toml", "--config", "other.toml"], &[])?;
    assert_eq!(both.status.code(), Some(2), "one file is read, and nobody guesses which");
    Ok(())
}

#[test]
fn the_example_and_the_reference_are_fresh() -> Result<()> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (command, file) in [("example", "petrel.example.toml"), ("docs", "docs/configuration.md")] {
        let fresh = petrel(&root, &["config", command], &[])?;
        ensure!(fresh.status.success(), "{fresh:?}");
        let (fresh, path) = (out(&fresh), root.join(file));
        if std::env::var_os("PETREL_UPDATE").is_some() {
            fs::write(&path, &fresh)?;
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == fresh, "{file} is stale; run `make schema`");
    }
    Ok(())
}
