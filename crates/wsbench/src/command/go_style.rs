//! Options as other programs write them: `-conns=1000` as Go does, `-MsgIntervalMs 50` as
//! PowerShell scripts do.

use std::ffi::OsString;

use clap::Command;

/// Options that have their unit in the name, what they are here, and the unit.
const WITH_UNIT: [(&str, &str, &str); 3] = [
    ("duration-seconds", "duration", "s"),
    ("flap-interval-ms", "flap-interval", "ms"),
    ("slow-consumer-delay-ms", "slow-delay", "ms"),
];

/// Turns `-conns` and `-MsgIntervalMs` into `--conns` and `--msg-interval-ms`, where the
/// program knows that option. Everything else stays as it is.
pub(super) fn normalise(
    arguments: impl IntoIterator<Item = OsString>,
    command: &Command,
) -> Vec<OsString> {
    let known: Vec<String> = std::iter::once(command)
        .chain(command.get_subcommands())
        .flat_map(|command| command.get_arguments())
        .flat_map(|argument| {
            let aliases = argument.get_all_aliases().unwrap_or_default();
            argument.get_long().into_iter().chain(aliases)
        })
        .map(str::to_owned)
        .chain(["help", "version"].map(str::to_owned))
        .collect();
    let mut normal = Vec::new();
    let mut rest = arguments.into_iter();
    normal.extend(rest.next());
    while let Some(argument) = rest.next() {
        let Some((name, value)) = argument.to_str().and_then(option) else {
            normal.push(argument);
            continue;
        };
        if let Some((_, meant, unit)) = WITH_UNIT.iter().find(|(known, ..)| *known == name) {
            let value = value.map(str::to_owned);
            let value = value.or_else(|| rest.next()?.to_str().map(str::to_owned));
            normal.push(format!("--{meant}={}{unit}", value.unwrap_or_default()).into());
        } else if known.contains(&name) {
            let value = value.map(|value| format!("={value}")).unwrap_or_default();
            normal.push(format!("--{name}{value}").into());
        } else {
            normal.push(argument);
        }
    }
    normal
}

/// An option's name, as it is written here, and its value, if it is in the same word.
fn option(argument: &str) -> Option<(String, Option<&str>)> {
    let rest = argument.strip_prefix('-')?;
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    let (name, value) = match rest.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (rest, None),
    };
    // A single letter is a short option.
    (name.chars().count() >= 2).then(|| (kebab(name), value))
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
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::command::CommandLine;
    use crate::span::Span;

    fn normal(line: &str) -> Vec<OsString> {
        normalise(line.split(' ').map(OsString::from), &CommandLine::command())
    }

    fn parsed(line: &str) -> CommandLine {
        CommandLine::try_parse_from(normal(line)).unwrap()
    }

    #[test]
    fn the_last_of_a_repeated_option_holds_and_lists_grow() {
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
        let wanted = "wsbench --target=ws://h:1/ws --conns 5 --ramp=1s --msg-interval-ms 50 --role-pinned --vus 3 -H a:b -v";
        let wanted: Vec<_> = wanted.split(' ').map(OsString::from).collect();
        assert_eq!(normal(line), wanted);
    }

    #[test]
    fn options_with_their_unit_in_the_name_are_understood() {
        let line = parsed(
            "wsbench -Mode connect -WsUrl ws://h:1/ws -Clients 1000 -DurationSeconds 60 -Reconnect \
             -FlapIntervalMs=2000 -FlapPct 20 -SlowConsumerPct 30 -SlowConsumerDelayMs 5000 -BodyBytes 4000",
        );
        let settings = line.settings;
        assert_eq!(settings.target.unwrap(), ["ws://h:1/ws"]);
        assert_eq!((settings.conns, settings.duration), (Some(1000), Some(Span::seconds(60))));
        assert_eq!(settings.flap_interval, Some(Span::seconds(2)));
        assert_eq!((settings.flap_percent, settings.slow_percent), (Some(20.0), Some(30.0)));
        assert_eq!(settings.slow_delay, Some(Span::seconds(5)));
        assert_eq!((settings.payload_size, settings.reconnect), (Some(4000), Some(true)));
    }
}
