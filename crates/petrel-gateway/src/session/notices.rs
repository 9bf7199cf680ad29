//! Notices of admins: those in force at the beginning, and what comes later.

use petrel_protocol::frame::ServerFrame;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Session;
use super::socket::End;

impl<S> Session<'_, S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// Says what is in force. The session is registered by now, so that what is said from now
    /// on waits in its outbox, behind this.
    pub(super) async fn show_notices(&mut self) -> Result<(), End> {
        let dependencies = &self.gateway.shared.dependencies;
        for notice in dependencies.notices.in_force(dependencies.clock.now()) {
            self.reply(ServerFrame::Notice(notice), None).await?;
        }
        Ok(())
    }

    /// Writes the notices that wait. Clients that give no version don't know them.
    pub(super) async fn write_notices(&mut self) -> Result<(), End> {
        let notices = self.outbox.take_notices();
        if self.legacy {
            return Ok(());
        }
        for text in notices {
            self.feed(&text).await?;
        }
        Ok(())
    }
}
