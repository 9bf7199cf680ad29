//! The binary under test as a child process.
//!
//! A [`Launcher`] knows how to start it and on which data; starting it again after its
//! end is a restart on the same data. A [`Server`] is one running process, which is
//! killed when it is dropped.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use petrel_types::UserId;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

use crate::client::{Client, Connect};
use crate::http::Http;
use crate::in_time;
use crate::mint::Mint;

/// How to start a server.
#[derive(Clone, Debug)]
pub struct Launcher {
    binary: PathBuf,
    data: DataDirectory,
    http: String,
    gateway: String,
    arguments: Vec<OsString>,
    variables: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
enum DataDirectory {
    /// Removed with the last copy of the launcher and the last of its servers.
    Temporary(Arc<TempDir>),
    Given(PathBuf),
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pid: u32,
    data: DataDirectory,
    http_address: SocketAddr,
    gateway_address: SocketAddr,
    admin_address: SocketAddr,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
}

/// A process that has ended.
#[derive(Clone, Debug)]
pub struct Exit {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Everything it wrote to standard output (of a server: after it was ready).
    pub stdout: String,
    /// Everything it wrote to standard error.
    pub stderr: String,
}

/// What a process can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, as Ctrl-C sends it: end politely.
    Interrupt,
    /// SIGTERM, as service managers send it: end politely.
    Terminate,
    /// SIGSTOP: nothing runs any more.
    Stop,
    /// SIGCONT: it goes on.
    Continue,
    /// SIGHUP: read again what may have changed. Not a request to end.
    Reload,
}

impl Launcher {
    /// Starts `binary` on a new, empty data directory, on free ports of 127.0.0.1.
    /// A test gives `env!("CARGO_BIN_EXE_petrel")`.
    pub fn new(binary: impl Into<PathBuf>) -> Result<Self> {
        let directory = TempDir::with_prefix("petrel-test-")?;
        Ok(Self {
            binary: binary.into(),
            data: DataDirectory::Temporary(Arc::new(directory)),
            http: "127.0.0.1:0".to_owned(),
            gateway: "127.0.0.1:0".to_owned(),
            arguments: Vec::new(),
            variables: Vec::new(),
        })
    }

    /// Uses this data directory instead.
    #[must_use]
    pub fn data_directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.data = DataDirectory::Given(path.into());
        self
    }

    /// Binds the HTTP port here instead.
    #[must_use]
    pub fn http(mut self, address: impl ToString) -> Self {
        self.http = address.to_string();
        self
    }

    /// Binds the gateway port here instead.
    #[must_use]
    pub fn gateway(mut self, address: impl ToString) -> Self {
        self.gateway = address.to_string();
        self
    }

    /// Lets in users whose tokens a [`Mint::bench`] makes.
    #[must_use]
    pub fn bench_issuer(self) -> Self {
        self.argument("--bench-issuer")
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets an environment variable. No other that begins with `PETREL_` reaches it.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Starts it and waits until it says that it is ready. If it ends or stays silent
    /// instead, the error shows what it wrote to standard error.
    pub async fn start(&self) -> Result<Server> {
        let mut child = command(&self.binary, &self.serve_arguments())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .spawn()
            .with_context(|| format!("can't start {}", self.binary.display()))?;
        let pid = child.id().context("a child that was just started runs")?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let stderr = collect(child.stderr.take().context("stderr is piped")?);
        let mut lines = BufReader::new(stdout).lines();

        let ready = match in_time("the server to be ready", read_ready(&mut lines)).await {
            Ok(Ok(ready)) => Ok(ready),
            Ok(Err(error)) | Err(error) => Err(error),
        };
        match ready {
            Ok([http_address, gateway_address, admin_address]) => Ok(Server {
                child,
                pid,
                data: self.data.clone(),
                http_address,
                gateway_address,
                admin_address,
                stdout: collect(lines.into_inner()),
                stderr,
            }),
            Err(error) => {
                child.start_kill()?;
                let status = child.wait().await?;
                let stderr = stderr.await?;
                Err(error.context(format!("no server ({status}); it said:\n{stderr}")))
            }
        }
    }

    /// Starts it when it is expected to refuse to run, and waits for its end.
    pub async fn start_and_fail(&self) -> Result<Exit> {
        let mut command = command(&self.binary, &self.serve_arguments());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        finish(command).await
    }

    fn serve_arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["serve".into(), "--data-dir".into()];
        arguments.push(self.data().into());
        // Many run at once, so none may want the port that all would have by default.
        let admin = &"127.0.0.1:0".to_owned();
        for (option, address) in
            [("--http", &self.http), ("--gateway", &self.gateway), ("--admin", admin)]
        {
            arguments.extend([option.into(), address.into()]);
        }
        arguments.extend_from_slice(&self.arguments);
        arguments
    }
}

/// Runs a command that ends by itself.
pub async fn run(binary: impl AsRef<OsStr>, arguments: &[impl AsRef<OsStr>]) -> Result<Exit> {
    finish(command(binary, arguments)).await
}

/// Puts a program there that a shell runs. It is written by a process of its own: a child that
/// another test starts meanwhile would inherit the file, open for writing, and until that child
/// has become another program nobody could run this one.
pub async fn write_script(path: &Path, text: &str) -> Result<()> {
    let path = path.to_str().context("a path that is UTF-8")?;
    let line = "printf '%s' \"$1\" >\"$0\" && chmod 755 \"$0\"";
    let exit = run("sh", &["-c", line, path, text]).await?;
    ensure!(exit.code == Some(0), "{path}: {}", exit.stderr);
    Ok(())
}

async fn finish(mut command: Command) -> Result<Exit> {
    // Dropped, and so killed, when the time is over.
    let output = command.output();
    let output = in_time("a command to end", output).await??;
    Ok(Exit {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}

/// Sends a signal to a process. Through the shell's own `kill`, which every POSIX system
/// has: the standard library can send nothing but SIGKILL.
pub async fn send_signal(pid: u32, signal: Signal) -> Result<()> {
    let name = match signal {
        Signal::Interrupt => "INT",
        Signal::Terminate => "TERM",
        Signal::Stop => "STOP",
        Signal::Continue => "CONT",
        Signal::Reload => "HUP",
    };
    let line = format!("kill -s {name} {pid}");
    let exit = run("sh", &["-c", line.as_str()]).await?;
    ensure!(exit.code == Some(0), "{line}: {}", exit.stderr);
    Ok(())
}

/// A child with pipes, which the environment of the tests does not configure.
fn command(binary: impl AsRef<OsStr>, arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(binary);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PETREL_") {
            command.env_remove(name);
        }
    }
    command
}

/// Reads the lines a server says when it is ready and returns its HTTP, gateway and admin
/// addresses.
async fn read_ready(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<[SocketAddr; 3]> {
    let [mut http, mut gateway, mut admin] = [None; 3];
    while let Some(line) = lines.next_line().await? {
        let line = line.trim();
        if let Some(url) = line.strip_prefix("HTTP API") {
            http = Some(address(url, ["http://", "https://"], "")?);
        } else if let Some(url) = line.strip_prefix("WebSocket") {
            gateway = Some(address(url, ["ws://", "wss://"], "/ws")?);
        } else if let Some(url) = line.strip_prefix("Admin") {
            admin = Some(address(url, ["http://", "https://"], "")?);
        } else if line.starts_with("Stop") {
            let all =
                http.zip(gateway).zip(admin).map(|((http, gateway), admin)| [http, gateway, admin]);
            return all.context("ready, but without its addresses");
        }
    }
    bail!("it ended before it was ready")
}

fn address(url: &str, schemes: [&str; 2], path: &str) -> Result<SocketAddr> {
    let url = url.trim();
    schemes
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme))
        .and_then(|rest| rest.strip_suffix(path))
        .and_then(|address| address.parse().ok())
        .with_context(|| format!("{url:?} is not {}HOST:PORT{path}", schemes[0]))
}

/// Reads a pipe to its end, so that the child never waits for a reader.
fn collect(mut pipe: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<String> {
    tokio::spawn(async move {
        let mut bytes = Vec::new();
        // What came before an error is still worth showing.
        let _ = pipe.read_to_end(&mut bytes).await;
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Server {
    /// The process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where the HTTP API listens.
    pub fn http_address(&self) -> SocketAddr {
        self.http_address
    }

    /// Where the gateway listens.
    pub fn gateway_address(&self) -> SocketAddr {
        self.gateway_address
    }

    /// Where operators ask.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Asks its HTTP API.
    pub fn http(&self) -> Http {
        Http::new(self.http_address)
    }

    /// Asks the HTTP routes of its gateway port.
    pub fn gateway_http(&self) -> Http {
        Http::new(self.gateway_address)
    }

    /// The issuer of its load-test users.
    pub fn mint(&self) -> Result<Mint> {
        Mint::bench(self.data())
    }

    /// Connects a device of a load-test user and authenticates with an AUTH frame.
    pub async fn connect(&self, user: UserId, device: &str) -> Result<Client> {
        let token = self.mint()?.token(user);
        Connect::to(self.gateway_address).device(device).authenticate(&token).await
    }

    /// SIGKILL: no time for last words. Waits until the process is gone.
    pub async fn kill(mut self) -> Result<Exit> {
        self.child.start_kill()?;
        self.wait().await
    }

    /// Sends a signal and waits for the end.
    pub async fn stop(self, signal: Signal) -> Result<Exit> {
        self.signal(signal).await?;
        self.wait().await
    }

    /// Sends a signal.
    pub async fn signal(&self, signal: Signal) -> Result<()> {
        send_signal(self.pid, signal).await
    }

    /// Waits for the end.
    pub async fn wait(mut self) -> Result<Exit> {
        in_time("the server to end", self.ended()).await?
    }

    /// Waits for the end, however long it takes: for a test that watches for a server that
    /// ends by itself. May be given up before it is done; must not be asked again after.
    pub async fn ended(&mut self) -> Result<Exit> {
        let status = self.child.wait().await?;
        Ok(Exit {
            code: status.code(),
            stdout: (&mut self.stdout).await?,
            stderr: (&mut self.stderr).await?,
        })
    }
}

impl DataDirectory {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(directory) => directory.path(),
            Self::Given(path) => path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_the_ready_lines() {
        let expected: SocketAddr = "127.0.0.1:8084".parse().unwrap();
        let schemes = ["ws://", "wss://"];
        for line in ["  ws://127.0.0.1:8084/ws", "  wss://127.0.0.1:8084/ws"] {
            assert_eq!(address(line, schemes, "/ws").unwrap(), expected);
        }
        assert!(address("127.0.0.1:8084", schemes, "/ws").is_err());
    }

    #[tokio::test]
    async fn what_does_not_become_ready_is_an_error_with_its_last_words() {
        let launcher = Launcher::new("false").unwrap();
        let error = launcher.start().await.unwrap_err();
        assert!(format!("{error:#}").contains("ended before it was ready"), "{error:#}");
        let launcher = Launcher::new("no-such-program").unwrap();
        assert!(launcher.start().await.is_err());
    }
}
