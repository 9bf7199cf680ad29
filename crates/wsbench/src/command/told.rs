//! The command line as a report quotes it: one that can be pasted into a shell, without
//! what is secret in it.

use std::ffi::OsString;

/// Headers whose values are nobody's business.
const SECRET_HEADERS: [&str; 5] =
    ["authorization", "cookie", "proxy-authorization", "x-api-key", "x-auth-token"];
/// Parts of a query that are tokens.
const SECRET_QUERIES: [&str; 5] = ["token", "accesstoken", "access_token", "key", "secret"];
/// Options whose values are.
const SECRET_OPTIONS: [&str; 2] = ["--jwt-secret", "--token"];
/// What stands where a secret stood.
const HIDDEN: &str = "***";

/// The program's name and its arguments, as they were given.
pub(super) fn command_line(arguments: &[OsString]) -> String {
    let words = arguments.iter().enumerate().skip(1).map(|(place, argument)| {
        let argument = argument.to_string_lossy();
        let before = arguments[place - 1].to_string_lossy();
        if SECRET_OPTIONS.contains(&option(&before).as_str()) {
            return HIDDEN.to_owned();
        }
        match argument.split_once('=') {
            Some((name, _)) if SECRET_OPTIONS.contains(&option(name).as_str()) => {
                format!("{name}={HIDDEN}")
            }
            _ => quoted(&without_secrets(&argument)),
        }
    });
    std::iter::once("wsbench".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// `-JwtSecret`, `-jwt-secret` and `--jwt-secret` are the same option.
fn option(word: &str) -> String {
    let Some(name) = word.strip_prefix('-') else { return String::new() };
    let name = name.strip_prefix('-').unwrap_or(name);
    let mut long = "--".to_owned();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !long.ends_with('-') {
            long.push('-');
        }
        long.push(if letter == '_' { '-' } else { letter.to_ascii_lowercase() });
    }
    long
}

fn without_secrets(argument: &str) -> String {
    if let Some((name, _)) = argument.split_once(':')
        && let Some(header) = name.rsplit('=').next()
        && SECRET_HEADERS
            .contains(&header.trim().trim_start_matches("-H").to_ascii_lowercase().as_str())
    {
        return format!("{name}: {HIDDEN}");
    }
    without_password(&without_tokens(argument))
}

/// `ws://host/ws?token=abc&x=1` without the token.
fn without_tokens(argument: &str) -> String {
    let Some((before, query)) = argument.split_once('?') else { return argument.to_owned() };
    let parts: Vec<_> = query
        .split('&')
        .map(|part| match part.split_once('=') {
            Some((name, _)) if SECRET_QUERIES.contains(&name.to_ascii_lowercase().as_str()) => {
                format!("{name}={HIDDEN}")
            }
            _ => part.to_owned(),
        })
        .collect();
    format!("{before}?{}", parts.join("&"))
}

/// `https://user:password@host/` without the password.
pub(super) fn without_password(argument: &str) -> String {
    let Some((scheme, rest)) = argument.split_once("://") else { return argument.to_owned() };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    match rest[..end].rsplit_once('@') {
        Some((user, host)) if user.contains(':') => {
            let name = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{name}:{HIDDEN}@{host}{}", &rest[end..])
        }
        _ => argument.to_owned(),
    }
}

/// As a POSIX shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,%@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &[&str]) -> String {
        let words: Vec<OsString> =
            std::iter::once(&"/usr/bin/wsbench").chain(words).map(|word| word.into()).collect();
        command_line(&words)
    }

    #[test]
    fn what_is_told_can_be_pasted() {
        assert_eq!(
            told(&["single-e2e", "--threshold", "e2e.p99<50ms", "--raw-send", "{\"a\":'b'}"]),
            r#"wsbench single-e2e --threshold 'e2e.p99<50ms' --raw-send '{"a":'\''b'\''}'"#
        );
    }

    #[test]
    fn secrets_are_not_told() {
        let line = told(&[
            "-H",
            "Authorization: Bearer s3cret",
            "--header=Cookie: s3cret",
            "--target",
            "ws://h:1/ws?room=1&token=s3cret",
            "--prometheus-remote-write",
            "https://user:s3cret@host/api/push",
            "-H",
            "X-Room: 7",
            "--jwt-secret",
            "s3cret",
            "-JwtSecret=s3cret",
            "--token=s3cret",
        ]);
        assert!(!line.contains("s3cret"), "{line}");
        for kept in ["Authorization: ***", "room=1", "https://user:***@host/api/push", "X-Room: 7"]
        {
            assert!(line.contains(kept), "{kept} is missing in {line}");
        }
    }
}
