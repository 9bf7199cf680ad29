//! Options as other programs write them: `-conns=1000` as Go does, `-MsgIntervalMs 50` as
//! PowerShell scripts do, and `1000 60 300 5000 30000` as one of the reference systems'
//! scripts does.

use std::ffi::OsString;

use clap::Command;

/// Options that have their unit in the name, what they are here, and the unit.
const WITH_UNIT: [(&str, &str, &str); 3] = [
    ("duration-seconds", "duration", "s"),
    ("flap-interval-ms", "flap-interval", "ms"),
    ("slow-consumer-delay-ms", "slow-delay", "ms"),
];

/// Users of one machine, where `MACHINE_ID` says which of several it is: more than one
/// machine has.
const USERS_PER_MACHINE: u64 = 1_000_000;

/// Turns `-conns` and `-MsgIntervalMs` into `--conns` and `--msg-interval-ms`, where the
/// program knows that option, and five numbers into what they mean. Everything else stays
/// as it is.
pub(super) fn normalise(
    arguments: impl IntoIterator<Item = OsString>,
    command: &Command,
    machine: Option<u64>,
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
    let mut arguments = arguments.into_iter();
    normal.extend(arguments.next());
    let arguments: Vec<OsString> = arguments.collect();
    let mut rest = match positional(&arguments, machine) {
        Some(meant) => {
            normal.extend(meant.into_iter().map(OsString::from));
            arguments[NUMBERS..].iter()
        }
        None => arguments.iter(),
    };
    while let Some(argument) = rest.next() {
        let Some((name, value)) = argument.to_str().and_then(option) else {
            normal.push(argument.clone());
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
            normal.push(argument.clone());
        }
    }
    normal
}

/// How many numbers the positional form has.
const NUMBERS: usize = 5;

/// `USERS RAMP DURATION MSG_MS HEARTBEAT_MS`: connections, seconds, seconds, and the times
/// between a connection's messages and between its pings; no messages if that is 0.
fn positional(arguments: &[OsString], machine: Option<u64>) -> Option<Vec<String>> {
    let numbers = arguments.get(..NUMBERS)?.iter().map(|argument| argument.to_str()?.parse().ok());
    let [users, ramp, duration, message_ms, heartbeat_ms]: [u64; NUMBERS] =
        numbers.collect::<Option<Vec<_>>>()?.try_into().ok()?;
    let mut meant = vec![
        if message_ms > 0 { "messaging" } else { "connect-only" }.to_owned(),
        format!("--conns={users}"),
        format!("--ramp={ramp}s"),
        // The script's duration begins after the ramp.
        format!("--duration={}s", ramp + duration),
        format!("--max-cps={}", (users / ramp.max(1) + 1).max(500)),
        format!("--ping-interval={heartbeat_ms}ms"),
    ];
    if message_ms > 0 {
        meant.push(format!("--msg-interval={message_ms}ms"));
    }
    if let Some(machine) = machine {
        meant.push(format!("--user-base={}", USERS_PER_MACHINE * (machine + 1)));
    }
    Some(meant)
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

    fn normal(line: &str, machine: Option<u64>) -> Vec<OsString> {
        normalise(line.split(' ').map(OsString::from), &CommandLine::command(), machine)
    }

    fn parsed(line: &str, machine: Option<u64>) -> CommandLine {
        CommandLine::try_parse_from(normal(line, machine)).unwrap()
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
        assert_eq!(normal(line, None), wanted);
    }

    #[test]
    fn options_with_their_unit_in_the_name_are_understood() {
        let line = parsed(
            "wsbench -Mode connect -WsUrl ws://h:1/ws -Clients 1000 -DurationSeconds 60 -Reconnect \
             -FlapIntervalMs=2000 -FlapPct 20 -SlowConsumerPct 30 -SlowConsumerDelayMs 5000 -BodyBytes 4000",
            None,
        );
        let settings = line.settings;
        assert_eq!(settings.target.unwrap(), ["ws://h:1/ws"]);
        assert_eq!((settings.conns, settings.duration), (Some(1000), Some(Span::seconds(60))));
        assert_eq!(settings.flap_interval, Some(Span::seconds(2)));
        assert_eq!((settings.flap_percent, settings.slow_percent), (Some(20.0), Some(30.0)));
        assert_eq!(settings.slow_delay, Some(Span::seconds(5)));
        assert_eq!((settings.payload_size, settings.reconnect), (Some(4000), Some(true)));
    }

    #[test]
    fn five_numbers_are_users_ramp_duration_message_and_heartbeat_times() {
        let line = parsed("wsbench 10000 120 600 5000 30000 --adapter echo", Some(1));
        assert_eq!(line.scenario.as_deref(), Some("messaging"));
        let settings = line.settings;
        assert_eq!((settings.conns, settings.user_base), (Some(10_000), Some(2_000_000)));
        assert_eq!(settings.ramp, Some(Span::seconds(120)));
        assert_eq!(settings.duration, Some(Span::seconds(720)));
        assert_eq!(settings.msg_interval, Some(Span::seconds(5)));
        assert_eq!(settings.ping_interval, Some(Span::seconds(30)));
        let silent = parsed("wsbench 100 30 120 0 30000", None);
        assert_eq!(silent.scenario.as_deref(), Some("connect-only"));
        assert_eq!((silent.settings.msg_interval, silent.settings.user_base), (None, None));
    }
}
