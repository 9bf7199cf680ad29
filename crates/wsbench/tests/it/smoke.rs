//! `wsbench smoke` against a real Petrel, and against a stand-in that lacks what mini-im
//! lacks as it is configured by default.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use petrel_testkit::server::Launcher;
use wsbench::smoke::{Result_, Smoke};

use crate::stand_ins::StandIn;
use crate::support::{program, wsbench};

fn smoke(line: &str, more: &[&str]) -> Result<(Option<i32>, BTreeMap<String, Result_>, Smoke)> {
    let mut arguments: Vec<&str> = line.split_whitespace().collect();
    arguments.extend(["--output", "json"].iter().chain(more));
    let output = wsbench(&arguments)?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(!text.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let smoke: Smoke = serde_json::from_str(&text)?;
    // A token in the transcript would let its reader in.
    assert!(!text.contains("eyJ"));
    let results = smoke.behaviours.iter().map(|one| (one.name.clone(), one.result)).collect();
    Ok((output.status.code(), results, smoke))
}

#[tokio::test]
async fn petrel_behaves_at_one_address_and_at_two() -> Result<()> {
    use Result_::{Passed, Skipped};
    let server = Launcher::new(program("petrel")?)?.bench_issuer().start().await?;
    let one = format!("ws://{}/ws", server.gateway_address());
    let two = format!("{one},{one}");
    let data = server.data().display().to_string();
    // The resending takes ten seconds, and has a test of Petrel's own.
    let quick = "smoke --only basic,idempotency,offline_drop_and_recover,auth_chain,friend_request,cluster_single,cluster_group,cluster_single_login";
    let (code, results, smoke) = smoke(quick, &["--target", &two, "--data-dir", &data])?;
    for (name, result) in &results {
        assert_eq!(*result, Passed, "{name}: {smoke:#?}");
    }
    assert_eq!((code, results.len()), (Some(0), 8));
    let line = "smoke --only cluster_single,basic";
    let (code, results, _) = self::smoke(line, &["--target", &one, "--data-dir", &data])?;
    assert_eq!((code, results["cluster_single"], results["basic"]), (Some(0), Skipped, Passed));
    Ok(())
}

#[test]
fn mini_im_behaves_but_for_what_its_defaults_leave_out() -> Result<()> {
    use Result_::{Failed, Passed, Skipped};
    let server = StandIn::start("mini-im", &["--cron-resend-ms", "300", "--ack-window-ms", "100"])?;
    let target = format!("ws://{}/ws", server.addresses[0]);
    let line = "smoke --adapter mini-im --patience 3s";
    let (code, results, smoke) = self::smoke(line, &["--target", &target])?;
    for (name, result) in &results {
        let wanted = if name.starts_with("cluster") { Skipped } else { Passed };
        assert_eq!(*result, wanted, "{name}: {smoke:#?}");
    }
    assert_eq!((code, results.len(), smoke.ok), (Some(0), 9, true));
    // As it is by default, nothing comes again; and what is pushed twice is found.
    let server = StandIn::start("mini-im", &["--push-twice", "1"])?;
    let target = format!("ws://{}/ws", server.addresses[0]);
    let (code, results, smoke) =
        self::smoke(&format!("{line} --only idempotency"), &["--target", &target])?;
    assert_eq!((code, results["idempotency"]), (Some(4), Failed), "{smoke:#?}");
    let reason = smoke.behaviours[0].reason.as_deref().unwrap_or_default();
    assert!(reason.contains("delivered twice"), "{reason}");
    Ok(())
}

#[test]
fn a_behaviour_that_does_not_exist_is_refused() -> Result<()> {
    let refused = wsbench(&["smoke", "--adapter", "mini-im", "--only", "baisc"])?;
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr)?.contains("basic"));
    Ok(())
}
