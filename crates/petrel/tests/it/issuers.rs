//! Issuers other than our own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use petrel_protocol::ErrorReason;
use petrel_protocol::close::CloseCode;
use petrel_protocol::http::Profile;
use petrel_protocol::token::Claims;
use petrel_testkit::client::Connect;
use petrel_testkit::mint::Mint;
use petrel_testkit::server::{Launcher, Server};
use petrel_types::UserId;
use serde_json::Value;

use crate::support::launcher;

const SECRET_ONE: &[u8] = b"k3Jq9xVt7ZbW2mNc8RfL5hGd1PsYtUaE";
const SECRET_TWO: &[u8] = b"ZbW2mNc8RfL5hGd1PsYtUaEk3Jq9xVt7";

#[tokio::test]
async fn the_same_user_number_from_two_issuers_is_two_users() -> Result<()> {
    let launcher = launcher()?;
    let one = write_secret(&launcher, "one", SECRET_ONE, "")?;
    let two = write_secret(&launcher, "two", SECRET_TWO, "")?;
    let launcher = launcher.argument("--issuer").argument(one).argument("--issuer").argument(two);
    let server = launcher.start().await?;
    let ben = server.http().new_user("ben").await?;
    let (one, two) = (Mint::external("one", SECRET_ONE)?, Mint::external("two", SECRET_TWO)?);
    let seven = UserId::new(7);
    let first = who(&server, &one.token(seven)).await?.user_id;
    let second = who(&server, &two.token(seven)).await?.user_id;
    assert!(first != second && first != ben.user_id && second != ben.user_id);
    assert!(first.is_local() && second.is_local());

    // They can talk, and nobody else hears it.
    let connect = Connect::to(server.gateway_address());
    let mut sender = connect.clone().device("a").authenticate(&one.token(seven)).await?;
    let mut receiver = connect.clone().device("a").authenticate(&two.token(seven)).await?;
    assert_eq!(sender.auth_ok().map(|ok| ok.from), Some(first));
    sender.chat(second, "m1", "hello").await?;
    let push = receiver.next_json().await?;
    assert_eq!(
        (push["from"].as_str(), push["body"].as_str()),
        (Some(&*first.to_string()), Some("hello"))
    );
    sender.expect_saved().await?;
    sender.expect_silence().await?;

    // One can't speak in the name of the other, nor in ours.
    let as_two = one.sign(&Claims { iss: "two".to_owned(), ..one.claims(seven) });
    let as_us = one.sign(&Claims { iss: "petrel".to_owned(), ..one.claims(ben.user_id) });
    for token in [as_two, as_us] {
        expect_shut(&server, &token, ErrorReason::InvalidToken).await?;
    }
    // Whoever is known stays the same user.
    server.kill().await?;
    let server = launcher.start().await?;
    assert_eq!(who(&server, &one.token(seven)).await?.user_id, first);
    Ok(())
}

#[tokio::test]
async fn public_keys_open_the_door_for_their_own_algorithm_only() -> Result<()> {
    let tokens: Value = serde_json::from_str(include_str!("issuers/tokens.json"))?;
    let token = |name: &str| tokens[name].as_str().map(str::to_owned).context("no such token");
    for (algorithm, key) in [("RS256", "rs256"), ("ES256", "es256"), ("EdDSA", "eddsa")] {
        let launcher = launcher()?;
        let server = with_public_key(launcher, algorithm, key).await?;
        let ada = who(&server, &token(algorithm)?).await?;
        assert!(ada.user_id.is_local() && ada.username.is_none(), "{ada:?}");
        Connect::to(server.gateway_address()).authenticate(&token(algorithm)?).await?;
        for other in ["RS256", "ES256", "EdDSA"] {
            if other != algorithm {
                expect_shut(&server, &token(other)?, ErrorReason::InvalidToken).await?;
            }
        }
        if algorithm == "RS256" {
            assert_eq!(who(&server, &token("bearer")?).await?.user_id, ada.user_id);
            let wrong = [
                "confused",
                "none",
                "anotherIssuer",
                "noIssuer",
                "noExpiry",
                "noSubject",
                "notYet",
                "refresh",
                "forged",
            ];
            for name in wrong {
                let shut = expect_shut(&server, &token(name)?, ErrorReason::InvalidToken).await;
                shut.map_err(|error| error.context(name))?;
            }
            expect_shut(&server, &token("expired")?, ErrorReason::TokenExpired).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn trusted_ids_are_users_here_as_they_are() -> Result<()> {
    let launcher = launcher()?;
    let trusted = "ids = 'trusted'\nlast_id = 9999\n";
    let path = write_secret(&launcher, "one", SECRET_ONE, trusted)?;
    let server = launcher.argument("--issuer").argument(path).start().await?;
    let mint = Mint::external("one", SECRET_ONE)?;
    let connect = Connect::to(server.gateway_address());
    let mut seven = connect.authenticate(&mint.token(UserId::new(7))).await?;
    assert_eq!(seven.auth_ok().map(|ok| ok.from), Some(UserId::new(7)));
    let mut eight = connect.authenticate(&mint.token(UserId::new(8))).await?;
    seven.chat(UserId::new(8), "m1", "hello").await?;
    assert_eq!(eight.next_json().await?["from"], "7");
    // Not beyond its range, where others are.
    let ben = server.http().new_user("ben").await?.user_id;
    for user in [UserId::new(10_000), ben] {
        expect_shut(&server, &mint.token(user), ErrorReason::InvalidToken).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_issuer_that_could_be_anybody_is_refused_at_the_start() -> Result<()> {
    let everybody = "ids = 'trusted'\n";
    let weak = b"change-me-please-change-me-please-change-me";
    let cases: [(&[u8], &str, &[&str], &str); 4] = [
        (SECRET_ONE, everybody, &[], "Close the registration"),
        (SECRET_ONE, "ids = 'trusted'\nlast_id = 5\n", &["--bench-issuer"], "bench issuer"),
        (weak, "", &[], "looks typed, not drawn at random"),
        (SECRET_ONE, "surprise = 1\n", &[], "surprise"),
    ];
    for (secret, more, arguments, story) in cases {
        let launcher = launcher()?;
        let path = write_secret(&launcher, "one", secret, more)?;
        let mut launcher = launcher.argument("--issuer").argument(path);
        for argument in arguments {
            launcher = launcher.argument(*argument);
        }
        let exit = launcher.start_and_fail().await?;
        assert_eq!(exit.code, Some(3), "{}", exit.stderr);
        assert!(exit.stderr.contains(story), "{}", exit.stderr);
    }

    // With what each of these says, it starts.
    let launcher = launcher()?;
    let closed = launcher.clone().argument("--registration").argument("closed");
    let path =
        write_secret(&launcher, "mini-im", weak, "ids = 'trusted'\nallow_weak_secret = true\n")?;
    let server = closed.argument("--issuer").argument(path).start().await?;
    let mint = Mint::external("mini-im", weak)?;
    let snowflake = UserId::new(1_800_000_000_000_000_000);
    let mut one =
        Connect::to(server.gateway_address()).authenticate(&mint.token(snowflake)).await?;
    let neighbour = UserId::new(snowflake.get() + 1);
    one.chat(neighbour, "m1", "hello").await?;
    one.expect_saved().await?;
    Ok(())
}

#[tokio::test]
async fn sessions_of_other_issuers_end_with_their_tokens_too() -> Result<()> {
    let launcher = launcher()?;
    let path = write_secret(&launcher, "one", SECRET_ONE, "")?;
    let launcher = launcher.argument("--issuer").argument(path);
    let server = launcher.argument("--set").argument("gateway.expiry_grace=1s").start().await?;
    let mint = Mint::external("one", SECRET_ONE)?;
    let claims = mint.claims(UserId::new(7));
    let short = mint.sign(&Claims { exp: claims.iat + 3, ..claims });
    let mut client = Connect::to(server.gateway_address()).authenticate(&short).await?;
    assert_eq!(client.next_json().await?["type"], "AUTH_EXPIRING");
    client.expect_error(ErrorReason::TokenExpired).await?;
    client.expect_closed_with(CloseCode::Auth).await?;
    Ok(())
}

/// Describes an issuer whose name is its `iss`, in a file next to the data.
fn write_secret(launcher: &Launcher, name: &str, secret: &[u8], more: &str) -> Result<PathBuf> {
    let directory = launcher.data();
    fs::create_dir_all(directory)?;
    fs::write(directory.join(format!("{name}.key")), secret)?;
    let text = format!(
        "name = '{name}'\niss = '{name}'\nalgorithm = 'HS256'\nkey_file = '{name}.key'\n\
         user_claim = 'uid'\n{more}"
    );
    let path = directory.join(format!("{name}.toml"));
    fs::write(&path, text)?;
    Ok(path)
}

async fn with_public_key(launcher: Launcher, algorithm: &str, key: &str) -> Result<Server> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/issuers");
    let path = launcher.data().join("issuer.toml");
    fs::create_dir_all(launcher.data())?;
    let key = fixtures.join(key).with_extension("pem");
    let text = format!(
        "name = 'example'\niss = 'https://id.example'\nalgorithm = '{algorithm}'\nkey_file = '{}'\n",
        key.display()
    );
    fs::write(&path, text)?;
    launcher.argument("--issuer").argument(path).start().await
}

async fn who(server: &Server, token: &str) -> Result<Profile> {
    server.http().get_as(token, "/api/users/me").await?.data()
}

async fn expect_shut(server: &Server, token: &str, reason: ErrorReason) -> Result<()> {
    let answer = server.http().get_as(token, "/api/users/me").await?;
    assert_eq!(answer.failure()?.reason, reason, "{answer:?}");
    let upgrade = Connect::to(server.gateway_address()).query("token", token).refused().await?;
    assert_eq!(upgrade.failure()?.reason, reason, "{upgrade:?}");
    Ok(())
}
