//! Why connections fail: a class for every error, and for every class what is likely
//! behind it and what helps.

use std::io::{Error, ErrorKind};

use rustix::io::Errno;

/// The class of an I/O error.
pub fn of(error: &Error) -> &'static str {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    match (errno, error.kind()) {
        (Some(Errno::MFILE | Errno::NFILE), _) => "fd_exhausted",
        (Some(Errno::ADDRNOTAVAIL), _) => "ports_exhausted",
        (Some(Errno::NOBUFS | Errno::NOMEM), _) => "memory_exhausted",
        (_, ErrorKind::ConnectionRefused) => "conn_refused",
        (_, ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted) => "conn_reset",
        (_, ErrorKind::BrokenPipe | ErrorKind::WriteZero) => "conn_reset",
        (_, ErrorKind::TimedOut) => "timeout",
        (_, ErrorKind::UnexpectedEof) => "eof",
        (_, ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable) => "network_unreachable",
        _ => match error.get_ref().and_then(|source| source.downcast_ref()) {
            Some(error) => of_tls(error),
            None => "io_error",
        },
    }
}

/// The class of a TLS error.
fn of_tls(error: &rustls::Error) -> &'static str {
    use rustls::AlertDescription as Alert;
    use rustls::CertificateError as Certificate;
    match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            // An authority of that name is trusted, but it did not sign this.
            Certificate::UnknownIssuer | Certificate::BadSignature => "tls_unknown_authority",
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                "tls_wrong_name"
            }
            Certificate::Expired
            | Certificate::ExpiredContext { .. }
            | Certificate::NotValidYet
            | Certificate::NotValidYetContext { .. } => "tls_expired",
            _ => "tls",
        },
        rustls::Error::AlertReceived(
            Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnknownCA
            | Alert::CertificateUnknown
            | Alert::CertificateExpired
            | Alert::AccessDenied,
        ) => "tls_client_certificate",
        rustls::Error::InvalidMessage(_) => "tls_not_spoken",
        _ => "tls",
    }
}

/// What is likely behind a class of errors, and what helps: English and Chinese.
#[derive(Clone, Copy, Debug)]
pub struct Cause {
    /// What is likely behind it.
    pub cause: [&'static str; 2],
    /// What helps.
    pub cure: [&'static str; 2],
}

/// What is known about a class, also with `lost_` before it.
pub fn explain(class: &str) -> Option<Cause> {
    let class = class.strip_prefix("lost_").unwrap_or(class);
    let known = |cause: [&'static str; 2], cure: [&'static str; 2]| Some(Cause { cause, cure });
    match class {
        "conn_refused" => known(
            ["nothing listens there, or its backlog is full", "服务端未启动或端口未开放"],
            [
                "check address, port and firewall; raise net.core.somaxconn",
                "检查服务状态和防火墙；提高 somaxconn",
            ],
        ),
        "timeout" => known(
            ["the server did not answer in time", "握手超时"],
            [
                "raise --handshake-timeout or lower --max-cps; look at the server's CPU",
                "增加 --handshake-timeout，或降低 --max-cps",
            ],
        ),
        "io_timeout" => known(
            [
                "the connection was silent for --read-timeout",
                "连接在 --read-timeout 内没有任何数据",
            ],
            [
                "let --ping-interval be shorter than --read-timeout; look for a dead network path",
                "缩短 --ping-interval，或增加 --read-timeout",
            ],
        ),
        "write_timeout" => known(
            [
                "the server took nothing for --write-timeout",
                "服务端在 --write-timeout 内未接收数据",
            ],
            ["the server does not read: it is overloaded or stuck", "服务端不再读取：过载或阻塞"],
        ),
        "fd_exhausted" => known(
            ["this process has no descriptors left", "文件描述符耗尽"],
            [
                "ulimit -n 1048576, or --workers N for more processes (wsbench doctor)",
                "ulimit -n 1048576，或用 --workers N 增加进程",
            ],
        ),
        "ports_exhausted" => known(
            ["no local port is left for this destination", "本地端口耗尽"],
            [
                "--source with several addresses, more --target ports, or a wider net.ipv4.ip_local_port_range",
                "用 --source 配置多个本地地址，或增加目标端口",
            ],
        ),
        "memory_exhausted" => known(
            ["the kernel has no memory for sockets", "内核套接字内存不足"],
            [
                "raise net.ipv4.tcp_mem, or use fewer connections",
                "提高 net.ipv4.tcp_mem，或减少连接数",
            ],
        ),
        "conn_reset" => known(
            ["the server, or something between, dropped the connection", "服务端资源不足或被限流"],
            [
                "lower --max-cps; look at the server's log and limits",
                "降低 --max-cps；检查服务端日志与限制",
            ],
        ),
        "eof" | "close" => known(
            ["the server closed the connection", "连接被服务端关闭"],
            ["look at the server's log", "检查服务端日志"],
        ),
        "network_unreachable" => known(
            ["there is no way to that address", "网络不可达"],
            ["check address and routes", "检查地址与路由"],
        ),
        "tls_unknown_authority" => known(
            [
                "nobody trusted here vouches for the server's certificate",
                "服务端证书的签发者不受信任",
            ],
            [
                "--cacert FILE with the authority's certificate in PEM, or --insecure to trust anything",
                "用 --cacert 指定签发者证书（PEM），或 --insecure 信任任何证书",
            ],
        ),
        "tls_wrong_name" => known(
            ["the server's certificate is for another name", "服务端证书的域名不符"],
            [
                "use a name of the certificate in --target, or --insecure",
                "在 --target 中使用证书上的域名，或 --insecure",
            ],
        ),
        "tls_expired" => known(
            [
                "the server's certificate has expired, or is not valid yet",
                "服务端证书已过期或尚未生效",
            ],
            [
                "check the clocks; renew the certificate; or --insecure",
                "检查时钟，更新证书，或 --insecure",
            ],
        ),
        "tls_client_certificate" => known(
            [
                "the server wants a client certificate, or does not trust the one it got",
                "服务端要求客户端证书，或不信任所给证书",
            ],
            [
                "--cert FILE --key FILE, signed by an authority that the server trusts",
                "用 --cert 与 --key 提供服务端信任的客户端证书",
            ],
        ),
        "tls_not_spoken" => known(
            ["there is no TLS at this port", "该端口不使用 TLS"],
            ["ws:// instead of wss://, or the TLS port", "改用 ws://，或使用 TLS 端口"],
        ),
        "tls" => known(
            ["TLS failed: certificate, name or version", "TLS 失败：证书、域名或版本"],
            [
                "--cacert FILE for a private authority, --insecure to trust anything",
                "使用 --cacert 指定证书，或 --insecure",
            ],
        ),
        "bad_handshake" => known(
            ["that is no WebSocket endpoint", "该地址不是 WebSocket 端点"],
            ["check the path of --target", "检查 --target 的路径"],
        ),
        "http_401" | "http_403" => known(
            ["the server refused the login", "服务端拒绝登录"],
            ["check --token-key, -H and --adapter", "检查 --token-key、-H 与 --adapter"],
        ),
        "http_404" => known(
            ["there is nothing at this path", "路径不存在"],
            ["check the path of --target", "检查 --target 的路径"],
        ),
        "http_429" => known(
            ["the server limits the rate", "服务端限流"],
            ["lower --max-cps", "降低 --max-cps"],
        ),
        "http_502" | "http_503" | "http_504" => known(
            ["the server, or the proxy before it, is overloaded or away", "服务端或代理过载"],
            [
                "lower --max-cps; look at the proxy and the server",
                "降低 --max-cps；检查代理与服务端",
            ],
        ),
        "protocol" => known(
            ["the server broke the WebSocket protocol", "服务端违反 WebSocket 协议"],
            [
                "if it compresses: this tool offers no compression, and a proxy may force it",
                "检查服务端或代理是否强制压缩",
            ],
        ),
        "close_4401" => known(
            ["the login was refused or took too long", "登录被拒绝或超时"],
            ["check --token-key and the server's load", "检查 --token-key 与服务端负载"],
        ),
        "close_4508" => known(
            ["the server closed a consumer that read too slowly", "服务端关闭了读取过慢的连接"],
            [
                "expected for slow consumers; otherwise this generator is overloaded",
                "慢消费者场景下属预期；否则压测端过载",
            ],
        ),
        "close_4504" => known(
            ["the server heard nothing for longer than it waits", "服务端长时间没有收到任何数据"],
            [
                "a shorter --ping-interval; was this machine stopped, or too busy to answer pings?",
                "缩短 --ping-interval；压测机是否被暂停，或忙得来不及回应 ping？",
            ],
        ),
        "close_4503" => known(
            ["the server is going down", "服务端正在关闭"],
            [
                "none needed: connections come back where the scenario lets them",
                "无需处理，连接会自动恢复",
            ],
        ),
        _ if class.starts_with("auth_") => known(
            ["the server refused the login", "服务端拒绝登录"],
            ["check --token-key and --user-base", "检查 --token-key 与 --user-base"],
        ),
        _ if class.starts_with("server_server_busy")
            || class.starts_with("server_after_refused") =>
        {
            known(
                ["the server is at its limit and says so", "服务端已达上限"],
                ["lower the rate; these messages were sent again", "降低速率；这些消息已重发"],
            )
        }
        _ => None,
    }
}
