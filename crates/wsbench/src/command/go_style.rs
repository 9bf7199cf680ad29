//! Options as Go programs write them: `-conns=1000`, and as PowerShell scripts do:
//! `-MsgIntervalMs 50`.

use std::ffi::OsString;

use clap::Command;

/// Turns `-conns` and `-MsgIntervalMs` into `--conns` and `--msg-interval-ms`, where the
/// program knows that option. Everything else stays as it is.
pub(super) fn normalise(
    arguments: impl IntoIterator<Item = OsString>,
    command: &Command,
) -> Vec<OsString> {
    let known: Vec<String> = std::iter::once(command)
        .chain(command.get_subcommands())
        .flat_map(|command| command.get_arguments())
        .flat_map(|argument| argument.get_long_and_visible_aliases().unwrap_or_default())
        .map(str::to_owned)
        .chain(["ws-urls", "url", "vus", "help", "version"].map(str::to_owned))
        .collect();
    arguments
        .into_iter()
        .map(|argument| match argument.to_str().and_then(|text| rewritten(text, &known)) {
            Some(text) => text.into(),
            None => argument,
        })
        .collect()
}

fn rewritten(argument: &str, known: &[String]) -> Option<String> {
    let rest = argument.strip_prefix('-')?;
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    let (name, value) = match rest.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (rest, None),
    };
    // A single letter is a short option.
    if name.chars().count() < 2 {
        return None;
    }
    let name = kebab(name);
    known.contains(&name).then(|| match value {
        Some(value) => format!("--{name}={value}"),
        None => format!("--{name}"),
    })
}

/// `MsgIntervalMs` and `msg_interval_ms` become `msg-interval-ms`.
fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for (index, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() {
            if index > 0 && !kebab.ends_with('-') {
                kebab.push('-');
            }
            kebab.push(letter.to_ascii_lowercase());
        } else {
            kebab.push(if letter == '_' { '-' } else { letter });
        }
    }
    kebab
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::command::CommandLine;

    #[test]
    fn the_last_of_a_repeated_option_holds_and_lists_grow() {
        use clap::Parser;
        let line =
            "wsbench --conns 5 --conns 6 -H a:1 -H b:2 --threshold lost<=0 --threshold errors<=0";
        let line = CommandLine::try_parse_from(line.split(' ')).unwrap();
        assert_eq!(line.settings.conns, Some(6));
        assert_eq!(line.settings.header.map(|headers| headers.len()), Some(2));
        assert_eq!(line.settings.threshold.map(|thresholds| thresholds.len()), Some(2));
    }

    #[test]
    fn one_dash_is_as_good_as_two() {
        let line = "wsbench -target=ws://h:1/ws -conns 5 --ramp=1s -MsgIntervalMs 50 -RolePinned -Vus 3 -H a:b -v";
        let normal = normalise(line.split(' ').map(OsString::from), &CommandLine::command());
        let wanted = "wsbench --target=ws://h:1/ws --conns 5 --ramp=1s --msg-interval-ms 50 --role-pinned --vus 3 -H a:b -v";
        assert_eq!(normal, wanted.split(' ').map(OsString::from).collect::<Vec<_>>());
    }
}
