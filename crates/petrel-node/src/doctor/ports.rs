//! Whether the ports are free.

use std::net::{SocketAddr, TcpListener};

use super::Finding;
use super::Severity::{Advice, Problem};
use crate::NodeConfig;
use crate::config::Listen;

pub(super) fn examine(config: &NodeConfig) -> Vec<Finding> {
    let mut listeners =
        vec![("the HTTP API", "--http", config.http), ("the gateway", "--gateway", config.gateway)];
    if let Listen::At(address) = config.admin {
        listeners.push(("the admin listener", "--admin", address));
    }
    let running = is_running(config);
    listeners
        .into_iter()
        .map(|(what, option, address)| port(what, option, address, running))
        .collect()
}

/// Whether a server has the data directory, told by its lock.
fn is_running(config: &NodeConfig) -> bool {
    let lock = std::fs::File::open(config.data_directory.join("petrel.lock"));
    lock.is_ok_and(|lock| lock.try_lock_shared().is_err())
}

fn port(what: &str, option: &str, address: SocketAddr, running: bool) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(format!("{what} can listen on {address}"), "the port is free"),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && running => Finding::bad(
            Advice,
            format!("{address} is in use"),
            format!("a server is at work in this data directory, and {what} is probably its own"),
            "nothing, if you did not mean to start another",
        ),
        Err(error) => Finding::bad(
            Problem,
            format!("{what} can't listen on {address}: {error}"),
            "the server would not start",
            format!(
                "ss -ltnp 'sport = :{}' shows who has it; or choose another with {option}",
                address.port()
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;

    #[test]
    fn a_taken_port_is_a_problem_unless_our_own_server_has_it() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(port("x", "--http", address, false).severity, Problem);
        assert_eq!(port("x", "--http", address, true).severity, Advice);
        drop(taken);
        assert_eq!(port("x", "--http", address, false).severity, Severity::Ok);
    }
}
