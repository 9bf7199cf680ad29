//! A copy of a server at work, and a server made of the copy.

use std::path::PathBuf;

use anyhow::{Context, Result};
use petrel_protocol::frame::Pull;
use petrel_testkit::server;
use petrel_types::Seq;

use crate::files::{self, Uploader};
use crate::support::{ALICE, BOB, PETREL, launcher};

#[tokio::test]
async fn a_backup_of_a_server_at_work_holds_what_was_acked_and_starts_in_a_new_epoch() -> Result<()>
{
    let home = tempfile::tempdir()?;
    let (copy, restored) = (home.path().join("copy"), home.path().join("restored"));
    let original = launcher()?.bench_issuer();
    let server = original.start().await?;
    let mut alice = server.connect(ALICE, "phone").await?;
    for number in 1..=50 {
        alice.chat(BOB, &format!("before-{number}"), "kept").await?;
        alice.expect_saved().await?;
    }
    let epoch = alice.auth_ok().context("AUTH_OK")?.epoch;
    let token = alice.sync(None, None).await?.token;

    let data = original.data().to_owned();
    let arguments: [PathBuf; 5] =
        ["backup".into(), "--data-dir".into(), data, "--to".into(), copy.clone()];
    let going_on = async {
        for number in 1..=200 {
            alice.chat(BOB, &format!("meanwhile-{number}"), "perhaps kept").await?;
            alice.expect_saved().await?;
        }
        anyhow::Ok(())
    };
    let (exit, gone_on) = tokio::join!(server::run(PETREL, &arguments), going_on);
    gone_on?;
    let exit = exit?;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    server.kill().await?;

    let arguments: [PathBuf; 5] =
        ["restore".into(), "--from".into(), copy, "--data-dir".into(), restored.clone()];
    let exit = server::run(PETREL, &arguments).await?;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    let again = server::run(PETREL, &arguments).await?;
    assert_ne!(again.code, Some(0), "a restore over something that is there: {again:?}");

    let restored = launcher()?.data_directory(restored).bench_issuer();
    let server = restored.start().await?;
    let mut bob = server.connect(BOB, "phone").await?;
    assert_ne!(bob.auth_ok().context("AUTH_OK")?.epoch, epoch);
    let state = bob.sync(None, None).await?;
    let conversation = state.conversations[0].conversation_id;
    assert!(state.conversations[0].head_seq >= Seq::new(50), "{state:?}");
    let pull = Pull {
        conversation_id: conversation,
        after_seq: Some(Seq::new(49)),
        before_seq: None,
        limit: Some(1),
    };
    let events = bob.pull(pull).await?;
    assert!(events.events[0].get().contains("before-50"), "{events:?}");

    // A device that knows the old epoch is told to start anew.
    let mut alice = server.connect(ALICE, "phone").await?;
    let state = alice.sync(Some(&token), None).await?;
    assert!(state.resync, "{state:?}");
    Ok(())
}

#[tokio::test]
async fn a_backup_holds_what_users_uploaded() -> Result<()> {
    let home = tempfile::tempdir()?;
    let original = launcher()?.bench_issuer();
    let server = original.start().await?;
    let alice = Uploader::new(&server, ALICE)?;
    let file = files::id(&alice.upload("a.png", &files::png(400, 300)).await?)?;
    let data = original.data().display().to_string();
    for (name, without, expected) in
        [("whole", None, true), ("bare", Some("--without-files"), false)]
    {
        let copy = home.path().join(name).display().to_string();
        let mut arguments = vec!["backup", "--data-dir", &data, "--to", &copy];
        arguments.extend(without);
        let exit = server::run(PETREL, &arguments).await?;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        let restored = home.path().join(format!("{name} restored"));
        let shown = restored.display().to_string();
        let exit = server::run(PETREL, &["restore", "--from", &copy, "--data-dir", &shown]).await?;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        let again = launcher()?.data_directory(restored).bench_issuer().start().await?;
        let alice = Uploader::new(&again, ALICE)?;
        let found = alice.content(&file).await;
        assert_eq!(found.is_ok_and(|content| content == files::png(400, 300)), expected, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_restore_leaves_out_what_the_backup_does_not_know_of() -> Result<()> {
    let home = tempfile::tempdir()?;
    let original = launcher()?.bench_issuer();
    let server = original.start().await?;
    let alice = Uploader::new(&server, ALICE)?;
    let picture = files::png(400, 300);
    let file = files::id(&alice.upload("a.png", &picture).await?)?;
    server.kill().await?;
    let [data, copy, restored] =
        [original.data().to_owned(), home.path().join("copy"), home.path().join("restored")];
    let shown = |path: &PathBuf| path.display().to_string();
    let arguments = ["backup", "--data-dir", &shown(&data), "--to", &shown(&copy)];
    let exit = server::run(PETREL, &arguments).await?;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    // As if it had been uploaded when the store was copied already.
    let strays = copy.join("files/objects/ab");
    std::fs::create_dir_all(&strays)?;
    for name in ["abcd", "abcd.thumbnail"] {
        std::fs::write(strays.join(name), "nobody's")?;
    }
    let arguments = ["restore", "--from", &shown(&copy), "--data-dir", &shown(&restored)];
    let exit = server::run(PETREL, &arguments).await?;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert!(exit.stderr.contains("Left out 2 files"), "{exit:?}");
    assert_eq!(std::fs::read_dir(restored.join("files/objects/ab"))?.count(), 0);

    let again = launcher()?.data_directory(restored).bench_issuer().start().await?;
    let alice = Uploader::new(&again, ALICE)?;
    assert_eq!(alice.content(&file).await?, picture);
    Ok(())
}
