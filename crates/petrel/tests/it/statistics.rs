//! What an admin sees of how much there is and how much happens.

use anyhow::Result;
use petrel_protocol::http::LoggedIn;
use petrel_protocol::http::admin::{RecentFigures, SystemFigures};
use petrel_testkit::client::Connect;
use petrel_testkit::server::Signal;

use crate::support::{PASSWORD, launcher, petrel_admin};

#[tokio::test]
async fn what_happened_is_counted_and_outlives_a_restart() -> Result<()> {
    let launcher = launcher()?;
    petrel_admin(launcher.data(), "create-user --admin ada", PASSWORD).await?;
    let server = launcher.start().await?;
    let http = server.http();
    let (ben, cay) = (http.new_user("ben").await?, http.new_user("cay").await?);
    let mut session = Connect::to(server.gateway_address()).authenticate(&ben.access_token).await?;
    for number in 0..7 {
        session.chat(cay.user_id, &format!("m{number}"), "hello").await?;
        session.expect_saved().await?;
    }
    http.get_as(&cay.access_token, "/api/users/me").await?;
    // What was counted is written down when the server ends.
    server.stop(Signal::Terminate).await?;

    let server = launcher.start().await?;
    let http = server.http();
    let ada: LoggedIn = http.login("ada", PASSWORD).await?.data()?;
    let figures: SystemFigures =
        http.get_as(&ada.access_token, "/api/admin/statistics").await?.data()?;
    assert_eq!((figures.users, figures.disabled_users, figures.logins), (3, 0, 3));
    assert!(figures.store_bytes > 0 && figures.rows >= 7, "{figures:?}");
    let messages: u64 = figures.days.iter().map(|day| day.messages).sum();
    // Midnight may be between the two.
    assert_eq!((messages, figures.active_users), (7, 2), "{figures:?}");

    let sampled = async || {
        let path = "/api/admin/statistics/recent?series=connections,ackMsP99";
        let recent: RecentFigures = http.get_as(&ada.access_token, path).await?.data()?;
        let is_there = recent.series.get("connections").is_some_and(|numbers| !numbers.is_empty());
        Ok(is_there.then_some(recent))
    };
    let recent = petrel_testkit::until("a sample", sampled).await?;
    assert_eq!(recent.series.keys().collect::<Vec<_>>(), ["ackMsP99", "connections"]);
    assert_eq!(recent.step_ms, 5_000);
    Ok(())
}
