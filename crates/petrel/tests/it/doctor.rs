//! `petrel doctor` and `petrel completions`.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result};
use petrel_testkit::server::{Exit, Launcher, Signal, run};
use serde_json::Value;

use crate::support::{PETREL, launcher};

/// Ports that are free and few connections, so that nothing but the machine is judged.
const FREE: [&str; 8] = [
    "--http",
    "127.0.0.1:0",
    "--gateway",
    "127.0.0.1:0",
    "--admin",
    "off",
    "--connections-max",
    "100",
];

async fn doctor(launcher: &Launcher, more: &[&str]) -> Result<Exit> {
    let data = launcher.data().display().to_string();
    run(PETREL, &[&["doctor", "--data-dir", &data], &FREE[..], more].concat()).await
}

async fn findings(launcher: &Launcher, more: &[&str]) -> Result<(Exit, Vec<Value>)> {
    let exit = doctor(launcher, &[&["--json"], more].concat()).await?;
    let report: Value = serde_json::from_str(&exit.stdout)?;
    let findings = report["findings"].as_array().context("no findings")?.clone();
    // The exit code is that of the worst.
    let worst = report["worst"].as_str().context("no worst")?;
    let expected = match worst {
        "ok" | "advice" => 0,
        "warning" => 5,
        _ => 6,
    };
    assert_eq!(exit.code, Some(expected), "{worst}: {exit:?}");
    Ok((exit, findings))
}

fn about<'a>(findings: &'a [Value], words: &str) -> &'a Value {
    let found =
        findings.iter().find(|it| it["what"].as_str().is_some_and(|what| what.contains(words)));
    found.unwrap_or_else(|| panic!("nothing about {words}: {findings:#?}"))
}

#[tokio::test]
async fn what_is_looked_at_is_explained() -> Result<()> {
    let launcher = launcher()?;
    let exit = doctor(&launcher, &[]).await?;
    for words in [
        "open files per process",
        "fsync of 16 KiB",
        "free disk space",
        "the clock",
        "can listen on",
    ] {
        assert!(exit.stdout.contains(words), "{words} is missing: {}", exit.stdout);
    }
    assert_eq!(fs::read_dir(launcher.data())?.count(), 0, "something was left behind");
    Ok(())
}

#[tokio::test]
async fn faults_are_found_and_the_cure_is_named() -> Result<()> {
    let launcher = launcher()?;
    launcher.start().await?.stop(Signal::Interrupt).await?;
    let key = launcher.data().join("secrets").join("token.key");
    let (_, before) = findings(&launcher, &[]).await?;
    assert_eq!(about(&before, "token.key")["severity"], "ok");

    fs::set_permissions(&key, fs::Permissions::from_mode(0o644))?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let arguments = ["--admin", &address, "--connections-max", "4000000000"];
    let data = launcher.data().display().to_string();
    let all = [
        &[
            "doctor",
            "--json",
            "--data-dir",
            &data,
            "--http",
            "127.0.0.1:0",
            "--gateway",
            "127.0.0.1:0",
        ][..],
        &arguments,
    ]
    .concat();
    let exit = run(PETREL, &all).await?;
    assert_eq!(exit.code, Some(6), "{exit:?}");
    assert!(
        exit.stderr.starts_with("petrel: ") && exit.stderr.contains("problem"),
        "{}",
        exit.stderr
    );
    let report: Value = serde_json::from_str(&exit.stdout)?;
    let after = report["findings"].as_array().context("no findings")?;
    let readable = about(after, "token.key");
    assert_eq!(readable["severity"], "warning");
    assert_eq!(readable["fix"], format!("chmod 600 {}", key.display()));
    let port = about(after, "the admin listener");
    assert_eq!(port["severity"], "problem");
    assert!(port["fix"].as_str().context("no fix")?.contains("--admin"));
    let files = about(after, "open files");
    assert_ne!(files["severity"], "ok");
    assert!(files["fix"].as_str().context("no fix")?.contains("LimitNOFILE="));
    Ok(())
}

#[tokio::test]
async fn shells_get_their_completions() -> Result<()> {
    for (shell, words) in
        [("bash", "complete -F"), ("zsh", "#compdef petrel"), ("fish", "complete -c petrel")]
    {
        let exit = run(PETREL, &["completions", shell]).await?;
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        assert!(exit.stdout.contains(words), "{shell}");
        for name in ["serve", "doctor", "tls-certificate", "log-format"] {
            assert!(exit.stdout.contains(name), "{shell} knows no {name}");
        }
    }
    assert_eq!(run(PETREL, &["completions", "cmd.exe"]).await?.code, Some(2));
    Ok(())
}
