//! What a person says about a run: on the command line, or in a TOML plan. Everything is
//! optional; [`Plan`](crate::plan::Plan) is what it comes to.

#[macro_use]
mod given;

use std::path::PathBuf;

use crate::adapter::AdapterKind;
use crate::plan::{Action, Arrival, Language, LoginBy, Output, Stage};
use crate::span::Span;
use crate::verdict::Threshold;

settings! {
    /// The scenario, as an option: connect-only, messaging, … (see `wsbench scenarios`)
    #[arg(long, value_name = "SCENARIO", help_heading = "What")]
    mode: String,

    /// A drill of a reference system, with its numbers (see `wsbench presets`); other options override it
    #[arg(long, value_name = "NAME", help_heading = "What")]
    preset: String,

    /// Where to connect; repeatable, or several separated by commas or semicolons [default: ws://localhost:8084/ws]
    #[arg(long, value_name = "URL", value_delimiter = ',', alias = "ws-urls", alias = "ws-url", alias = "url", help_heading = "What")]
    target: Vec<String>,

    /// Which protocol the server speaks [default: petrel if a key for load-test users is found, else echo]
    #[arg(long, value_enum, help_heading = "What")]
    adapter: AdapterKind,

    /// How many connections [default: 1000]
    #[arg(long, value_name = "N", alias = "vus", alias = "clients", value_parser = clap::value_parser!(u32).range(1..=4_000_000), help_heading = "How much")]
    conns: u32,

    /// How long the run takes, ramp included [default: 5m]
    #[arg(long, value_name = "TIME", help_heading = "How much")]
    duration: Span,

    /// Over how long the connections are opened [default: 1m]
    #[arg(long, value_name = "TIME", help_heading = "How much")]
    ramp: Span,

    /// The most connections opened a second [default: 500]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "How much")]
    max_cps: u32,

    /// After the ramp, how long until anything is measured [default: 1s]
    #[arg(long, value_name = "TIME", help_heading = "How much")]
    warmup: Span,

    /// At the end, how long to wait for what is under way [default: 10s]
    #[arg(long, value_name = "TIME", help_heading = "How much")]
    drain: Span,

    /// Messages of each sending connection per MINUTE [default: 10]
    #[arg(long, value_name = "N", help_heading = "How much")]
    msg_rate: f64,

    /// Instead of --msg-rate: the time between two messages of a connection
    #[arg(long, value_name = "TIME", conflicts_with = "msg_rate", help_heading = "How much")]
    msg_interval: Span,

    /// The same in milliseconds
    #[arg(long, value_name = "MS", conflicts_with_all = ["msg_rate", "msg_interval"], help_heading = "How much")]
    msg_interval_ms: u64,

    /// Instead: messages per second of all connections together
    #[arg(long, value_name = "N", conflicts_with_all = ["msg_rate", "msg_interval", "msg_interval_ms"], help_heading = "How much")]
    rate: f64,

    /// Bytes of a message's text, at least 43 [default: 128]
    #[arg(long, value_name = "BYTES", alias = "body-bytes", help_heading = "How much")]
    payload_size: u32,

    /// The rate over time, as factors of the rate: 30s:1,1m:4,30s:4 goes to each factor in a straight line
    #[arg(long, value_name = "TIME:FACTOR,…", value_delimiter = ',', help_heading = "When")]
    stages: Vec<Stage>,

    /// Closed loop: each sender keeps so many messages under way, and sends the next when one is answered
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = "When")]
    in_flight: u32,

    /// Open loop: a sender with so many unanswered messages holds the next ones back; the wait counts [default: 200]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16_000), help_heading = "When")]
    max_in_flight: u32,

    /// How sends fall into time: evenly, all senders at once, or at random [default: spread]
    #[arg(long, value_enum, help_heading = "When")]
    arrival: Arrival,

    /// Time between the pings of a connection; 0 for none [default: 30s]
    #[arg(long, value_name = "TIME", help_heading = "When")]
    ping_interval: Span,

    /// The same in milliseconds
    #[arg(long, value_name = "MS", conflicts_with = "ping_interval", help_heading = "When")]
    ping_interval_ms: u64,

    /// With each ping an empty binary frame, which is how clients of xzll-im show that they live; nothing answers it
    #[arg(long, num_args = 0..=1, default_missing_value = "true", help_heading = "When")]
    empty_heartbeat: bool,

    /// What leaves later than this by the generator's own fault is late; more than 1 % of it makes a run invalid [default: 10ms]
    #[arg(long, value_name = "TIME", help_heading = "When")]
    late_after: Span,

    /// So long after the ramp, run a command: what is done to the server while it is measured; repeatable
    #[arg(long, value_name = "TIME:COMMAND", help_heading = "When")]
    run_at: Vec<Action>,

    /// Run so many times, and report each
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "When")]
    repeat: u32,

    /// Multiply connections and times, to try a large plan out in small
    #[arg(long, value_name = "FACTOR", help_heading = "When")]
    scale: f64,

    /// What random choices follow from: the same seed, the same choices [default: 1]
    #[arg(long, value_name = "N", help_heading = "When")]
    seed: u64,

    /// The first user id; other load generators need other ranges [default: 1000000]
    #[arg(long, value_name = "ID", help_heading = "Users")]
    user_base: u64,

    /// Senders connect to the first target, recipients to the last
    #[arg(long, num_args = 0..=1, default_missing_value = "true", help_heading = "Users")]
    role_pinned: bool,

    /// The file with the key that signs the tokens of load-test users
    #[arg(long, value_name = "FILE", help_heading = "Users")]
    token_key: PathBuf,

    /// The data directory of the server, where that key is looked for [default: petrel-data]
    #[arg(long, value_name = "DIR", env = "PETREL_DATA_DIR", help_heading = "Users")]
    data_dir: PathBuf,

    /// Which of several load generators this is: each has users of its own, 10,000,000 apart [default: 0]
    #[arg(long, value_name = "N", env = "MACHINE_ID", help_heading = "Users")]
    machine_id: u64,

    /// mini-im: the secret that its tokens are signed with [default: the one it has if nobody configures it]
    #[arg(long, value_name = "SECRET", env = "WSBENCH_JWT_SECRET", hide_env_values = true, help_heading = "Users")]
    jwt_secret: String,

    /// mini-im: who signs its tokens [default: mini-im]
    #[arg(long, value_name = "NAME", help_heading = "Users")]
    jwt_issuer: String,

    /// xzll: what goes into the header `token` [default: STRESS_TEST_BYPASS_TOKEN]
    #[arg(long, value_name = "TOKEN", env = "TEST_TOKEN", hide_env_values = true, help_heading = "Users")]
    token: String,

    /// ethanqc: where the HTTP gateway is [default: port 8080 of the target's host]
    #[arg(long, value_name = "URL", help_heading = "What")]
    http_base: String,

    /// Where the token goes [default: header]
    #[arg(long, value_enum, help_heading = "Users")]
    login_by: LoginBy,

    /// Whether recipients acknowledge what they get [default: true]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", help_heading = "Users")]
    receipts: bool,

    /// How long a connection may take to stand, login included [default: 30s]
    #[arg(long, value_name = "TIME", help_heading = "Connections")]
    handshake_timeout: Span,

    /// How often a failed connection is tried again [default: 3]
    #[arg(long, value_name = "N", help_heading = "Connections")]
    retry: u32,

    /// How long to wait before that; doubled each time, with a random part [default: 1s]
    #[arg(long, value_name = "TIME", help_heading = "Connections")]
    retry_delay: Span,

    /// Silence after which a connection is given up; 0 for never [default: 2m]
    #[arg(long, value_name = "TIME", help_heading = "Connections")]
    read_timeout: Span,

    /// How long the server may take nothing of what is written; also how long an answer may take [default: 10s]
    #[arg(long, value_name = "TIME", help_heading = "Connections")]
    write_timeout: Span,

    /// Bytes read at once [default: 8192, at least 65536 in all: one buffer serves all connections]
    #[arg(long, value_name = "BYTES", help_heading = "Connections")]
    read_buffer: u32,

    /// Bytes that may wait for a connection to take them before its messages are held back [default: 8192]
    #[arg(long, value_name = "BYTES", help_heading = "Connections")]
    write_buffer: u32,

    /// The kernel's receive buffer of each connection, in bytes (a small one makes slow consumers slow sooner)
    #[arg(long, value_name = "BYTES", help_heading = "Connections")]
    receive_buffer: u32,

    /// Whether a connection that breaks by itself is opened again [default: by scenario]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", help_heading = "Connections")]
    reconnect: bool,

    /// A header for the upgrade request; repeatable
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", help_heading = "Connections")]
    header: Vec<String>,

    /// Addresses to connect from, for more than one address's ports; repeatable or separated by commas
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', help_heading = "Connections")]
    source: Vec<std::net::IpAddr>,

    /// Messages in binary frames, for echo and raw
    #[arg(long, num_args = 0..=1, default_missing_value = "true", help_heading = "Connections")]
    binary: bool,

    /// Certificates to trust, in PEM, instead of the system's
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    cacert: PathBuf,

    /// Trust any certificate
    #[arg(long, num_args = 0..=1, default_missing_value = "true", help_heading = "TLS")]
    insecure: bool,

    /// The client's certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "TLS")]
    cert: PathBuf,

    /// Its private key, in PEM
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "TLS")]
    key: PathBuf,

    /// raw: appended to the query of the upgrade, with {user}
    #[arg(long, value_name = "TEMPLATE", help_heading = "Adapter raw")]
    raw_query: String,
    /// raw: the first frame of a connection, with {user}
    #[arg(long, value_name = "TEMPLATE", help_heading = "Adapter raw")]
    raw_login: String,
    /// raw: a frame with this text says that the login stands
    #[arg(long, value_name = "TEXT", help_heading = "Adapter raw")]
    raw_login_ok: String,
    /// raw: a second frame, by which a connection enters its group, with {group} and perhaps {user}
    #[arg(long, value_name = "TEMPLATE", help_heading = "Adapter raw")]
    raw_join: String,
    /// raw: a frame with this text says that it is in its group
    #[arg(long, value_name = "TEXT", help_heading = "Adapter raw")]
    raw_join_ok: String,
    /// raw: a message, with {body}, and perhaps {user}, {to} or {group}, and {id} [default: {body}]
    #[arg(long, value_name = "TEMPLATE", help_heading = "Adapter raw")]
    raw_send: String,
    /// raw: a frame with this text and an {id} acknowledges that message
    #[arg(long, value_name = "TEXT", help_heading = "Adapter raw")]
    raw_ack: String,
    /// raw: a ping of the protocol's own, with {token}
    #[arg(long, value_name = "TEMPLATE", help_heading = "Adapter raw")]
    raw_ping: String,

    /// reconnect-storm: when all connections break, after the ramp [default: a third of the time]
    #[arg(long, value_name = "TIME", help_heading = "Scenarios")]
    storm_at: Span,
    /// reconnect-storm, flap, presence-churn: for how long they stay away [default: 0, 0, 1s]
    #[arg(long, value_name = "TIME", help_heading = "Scenarios")]
    away: Span,
    /// The longest random wait before a connection that was dropped comes back [default: 200ms]
    #[arg(long, value_name = "TIME", help_heading = "Disturbances")]
    reconnect_jitter: Span,
    /// How often connections are dropped, with --flap-percent [default: 2s]
    #[arg(long, value_name = "TIME", help_heading = "Disturbances")]
    flap_interval: Span,
    /// How many of the connections are dropped each time and come back, in percent [default: 20 in flap and presence-churn, else 0]
    #[arg(long, value_name = "PERCENT", alias = "flap-pct", help_heading = "Disturbances")]
    flap_percent: f64,
    /// How many of the recipients read slowly, in percent; they are timed apart [default: 30 in slow-consumer, else 0]
    #[arg(long, value_name = "PERCENT", alias = "slow-consumer-pct", help_heading = "Disturbances")]
    slow_percent: f64,
    /// How long they take for each message [default: 1s]
    #[arg(long, value_name = "TIME", help_heading = "Disturbances")]
    slow_delay: Span,
    /// How many of the recipients read nothing at all, in percent [default: 0]
    #[arg(long, value_name = "PERCENT", help_heading = "Disturbances")]
    no_read_percent: f64,
    /// offline-pull: messages for each absent recipient [default: 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000), help_heading = "Scenarios")]
    offline_messages: u32,
    /// presence-churn: how many of the connections come and go, in percent [default: 50]
    #[arg(long, value_name = "PERCENT", help_heading = "Scenarios")]
    churn_percent: f64,
    /// step: how many connections each plateau has [default: 100,1000,10000,50000]
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=4_000_000), help_heading = "Scenarios")]
    sizes: Vec<u32>,
    /// connect-rate: the first rate, in connections a second [default: 500]; backpressure-ramp: in messages a second [default: 1000]
    #[arg(long, value_name = "N", help_heading = "Scenarios")]
    rate_from: u32,
    /// connect-rate, backpressure-ramp: how much faster each step is [default: 2, 1.5]
    #[arg(long, value_name = "FACTOR", help_heading = "Scenarios")]
    rate_factor: f64,
    /// connect-rate, backpressure-ramp, step: how long each step lasts [default: 5s, 5s, 15s]
    #[arg(long, value_name = "TIME", help_heading = "Scenarios")]
    step: Span,
    /// group-fanout: members of a group [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=100_000), help_heading = "Scenarios")]
    group_size: u32,
    /// group-fanout, broadcast: how many of them speak [default: a tenth, 1]
    #[arg(long, value_name = "N", help_heading = "Scenarios")]
    group_senders: u32,

    /// What is printed on standard output [default: text]
    #[arg(long, value_enum, help_heading = "Report")]
    output: Output,
    /// Its language [default: en, or zh if the locale is Chinese]
    #[arg(long, value_enum, help_heading = "Report")]
    lang: Language,
    /// Where to put the report in all its forms (report.html, report.json, report.md, junit.xml, …), the seconds and what was seen of the server; a folder with the date is made in it
    #[arg(long, value_name = "DIR", help_heading = "Report")]
    out_dir: PathBuf,
    /// Where to write the report as one HTML page with plots; it needs no network and no other file
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    html: PathBuf,
    /// What must hold, such as e2e.p99<50ms; repeatable or separated by commas
    #[arg(long, value_name = "WHAT<VALUE", value_delimiter = ',', help_heading = "Report")]
    threshold: Vec<Threshold>,
    /// The server's metrics page, in Prometheus's text format, read every 2 s [default: /metrics at the target, or at port 6060 of this machine, if there is one]
    #[arg(long, value_name = "URL", alias = "metrics-url", help_heading = "Report")]
    server_metrics: String,
    /// The server's process, on this machine [default: found by its listening port]
    #[arg(long, value_name = "PID", help_heading = "Report")]
    server_pid: u32,
    /// Skip the two-second measurement of this generator's own ceiling before the run
    #[arg(long, num_args = 0..=1, default_missing_value = "true", help_heading = "Report")]
    no_ceiling: bool,
    /// Serve the metrics of the run for Prometheus, at /metrics of this address, such as 127.0.0.1:9464
    #[arg(long, value_name = "ADDRESS", help_heading = "Report")]
    prometheus: std::net::SocketAddr,
    /// Send the metrics of the run every second to a Prometheus that takes remote write; https://user:password@… logs in
    #[arg(long, value_name = "URL", help_heading = "Report")]
    prometheus_remote_write: String,
    /// Progress in plain lines, also on a terminal
    #[arg(long, num_args = 0..=1, default_missing_value = "true", help_heading = "Report")]
    plain: bool,
    /// Open the report when the run is over; it is kept in --out-dir, or results
    #[arg(long, num_args = 0..=1, default_missing_value = "true", help_heading = "Report")]
    open: bool,
    /// Say more on standard error
    #[arg(long, num_args = 0..=1, default_missing_value = "true", help_heading = "Report")]
    verbose: bool,

    /// Worker processes or threads [default: as many as descriptors and cores ask for]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256), help_heading = "Connections")]
    workers: u32,
}
