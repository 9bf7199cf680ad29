//! The refresh token as a cookie, for clients that live in a browser.
//!
//! No script can read it (`HttpOnly`), and it goes to `/api/auth` only. That another
//! site's page can't use it has three reasons: `SameSite=Strict`, bodies that must be JSON,
//! and the check of `Origin` here.

use axum::http::{HeaderMap, HeaderValue, header};
use petrel_logic::Refusal;
use petrel_protocol::ErrorReason;

const NAME: &str = "petrel_refresh";

/// The refresh token among the cookies of a request.
pub(crate) fn refresh_token(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(|line| line.split(';'));
    cookies.find_map(|cookie| {
        let (name, value) = cookie.trim().split_once('=')?;
        (name == NAME && !value.is_empty()).then(|| value.to_owned())
    })
}

/// The header that gives a browser the token.
pub(crate) fn give(token: &str, lasts_seconds: u64, headers: &HeaderMap) -> HeaderMap {
    set(&format!("{NAME}={token}; Max-Age={lasts_seconds}"), headers)
}

/// The header that takes it away again.
pub(crate) fn take_away(headers: &HeaderMap) -> HeaderMap {
    set(&format!("{NAME}=; Max-Age=0"), headers)
}

fn set(cookie: &str, request: &HeaderMap) -> HeaderMap {
    // Some browsers keep no `Secure` cookie of http://localhost.
    let secure = if is_loopback(host(request)) { "" } else { "; Secure" };
    let cookie = format!("{cookie}; Path=/api/auth; HttpOnly; SameSite=Strict{secure}");
    let value = HeaderValue::from_str(&cookie).expect("a token is base64");
    HeaderMap::from_iter([(header::SET_COOKIE, value)])
}

/// Refuses what a page of another origin asks for. Programs send no origin.
pub(crate) fn check_origin(headers: &HeaderMap, allowed: &[String]) -> Result<(), Refusal> {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("?"));
    let site_is_fine = text("sec-fetch-site".parse().expect("a name"))
        .is_none_or(|site| ["same-origin", "same-site", "none"].contains(&site));
    let Some(origin) = text(header::ORIGIN) else {
        return if site_is_fine { Ok(()) } else { Err(forbidden("another site")) };
    };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    let is_own = authority.is_some_and(|it| it.eq_ignore_ascii_case(host(headers)));
    if is_own || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
        Ok(())
    } else {
        Err(forbidden(origin))
    }
}

fn forbidden(origin: &str) -> Refusal {
    Refusal::new(
        ErrorReason::ForbiddenOrigin,
        format!("pages of {origin} may not log in here with a cookie"),
    )
}

fn host(headers: &HeaderMap) -> &str {
    headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (name.parse().unwrap(), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let found = |line| refresh_token(&headers(&[("cookie", line)]));
        assert_eq!(found("a=b; petrel_refresh=t0k-en_; c"), Some("t0k-en_".to_owned()));
        assert_eq!(found("xpetrel_refresh=t"), None);
        assert_eq!(found("petrel_refresh="), None);
        assert_eq!(refresh_token(&HeaderMap::new()), None);
    }

    #[test]
    fn the_cookie_is_for_the_routes_of_log_ins_and_no_script() {
        let cookie = |host| {
            let set = give("t", 60, &headers(&[("host", host)]));
            set[header::SET_COOKIE].to_str().unwrap().to_owned()
        };
        let expected =
            "petrel_refresh=t; Max-Age=60; Path=/api/auth; HttpOnly; SameSite=Strict; Secure";
        assert_eq!(cookie("im.example"), expected);
        assert_eq!(cookie("localhost.evil.example"), expected);
        for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "127.0.0.1"] {
            assert!(!cookie(host).contains("Secure"), "{host}");
        }
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        let check =
            |pairs: &[_], allowed: &[String]| check_origin(&headers(pairs), allowed).is_ok();
        let host = ("host", "im.example:8080");
        assert!(check(&[host], &[]));
        assert!(check(&[host, ("origin", "http://im.example:8080")], &[]));
        assert!(!check(&[host, ("origin", "http://im.example:9090")], &[]));
        assert!(!check(&[host, ("origin", "https://evil.example")], &[]));
        assert!(!check(&[host, ("origin", "null")], &[]));
        assert!(!check(&[host, ("sec-fetch-site", "cross-site")], &[]));
        let app = "https://app.example".to_owned();
        assert!(check(&[host, ("origin", "https://app.example")], &[app]));
    }
}
