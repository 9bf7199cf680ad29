//! When users were online last: in memory, and in a file that outlives the process.
//!
//! The file has a line for each change, `USER MILLISECONDS` or `USER online`, and a line
//! `alive MILLISECONDS` for each time it was written. Who is `online` at its end was when it
//! was last alive. It is appended to, and written anew when most of it is out of date. It is
//! not synced: what a power cut takes of it is no loss that anybody would notice, and a line
//! that can't be read is passed over.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use petrel_types::{TimestampMs, UserId};

/// How many users are remembered. Beyond, those are forgotten who have been away the
/// longest. One is some 30 bytes of memory and as many of the file.
const USERS_MAX: usize = 1_000_000;

/// So many lines more than twice the users make a file long.
const LINES_SPARE: usize = 4_096;

const ONLINE: &str = "online";
const ALIVE: &str = "alive";

/// What is known of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seen {
    /// Online until then.
    At(TimestampMs),
    /// Online now.
    Online,
}

/// When users were online last.
#[derive(Debug, Default)]
pub(crate) struct LastSeen {
    users: HashMap<UserId, Seen>,
    /// Those of whom something else is known than is saved.
    changed: HashSet<UserId>,
}

impl LastSeen {
    pub(crate) fn set(&mut self, user: UserId, seen: Seen) {
        self.users.insert(user, seen);
        self.changed.insert(user);
    }

    pub(crate) fn get(&self, user: UserId) -> Option<TimestampMs> {
        match self.users.get(&user)? {
            Seen::At(at) => Some(*at),
            Seen::Online => None,
        }
    }

    /// What changed since this was called before.
    pub(crate) fn take_changes(&mut self) -> Vec<(UserId, Seen)> {
        self.make_room(USERS_MAX);
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().filter_map(|user| Some((user, *self.users.get(&user)?))).collect()
    }

    /// Notes changes that were taken and not saved.
    pub(crate) fn note_again(&mut self, changes: &[(UserId, Seen)]) {
        self.changed.extend(changes.iter().map(|(user, _)| *user));
    }

    pub(crate) fn len(&self) -> usize {
        self.users.len()
    }

    pub(crate) fn all(&self) -> Vec<(UserId, Seen)> {
        self.users.iter().map(|(user, seen)| (*user, *seen)).collect()
    }

    /// Forgets those who have been away the longest, if there are more than `max`; a quarter
    /// at once, so that it is seldom.
    fn make_room(&mut self, max: usize) {
        if self.users.len() <= max {
            return;
        }
        let stays = max - max / 4;
        let mut times: Vec<Seen> = self.users.values().copied().collect();
        let first_to_stay = times.len() - stays;
        let (_, oldest, _) = times.select_nth_unstable(first_to_stay);
        let oldest = *oldest;
        self.users.retain(|_, seen| *seen >= oldest);
    }
}

/// The file.
#[derive(Debug)]
pub(crate) struct SavedLastSeen {
    path: PathBuf,
    file: File,
    lines: usize,
}

impl SavedLastSeen {
    /// Opens or makes the file, and reads what is in it.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, LastSeen)> {
        let file = private_file(path)?;
        let (known, lines) = read(&file)?;
        Ok((Self { path: path.to_owned(), file, lines }, known))
    }

    /// Adds what has changed.
    pub(crate) fn append(
        &mut self,
        changes: &[(UserId, Seen)],
        now: TimestampMs,
    ) -> io::Result<()> {
        self.file.write_all(text_of(changes, now).as_bytes())?;
        self.lines += changes.len() + 1;
        Ok(())
    }

    /// Whether most of it is out of date, when so many users are known.
    pub(crate) fn is_long(&self, users: usize) -> bool {
        self.lines > 2 * users + LINES_SPARE
    }

    /// Puts a file in its place in which nothing is out of date.
    pub(crate) fn replace(&mut self, all: &[(UserId, Seen)], now: TimestampMs) -> io::Result<()> {
        let next = self.path.with_extension("next");
        fs::remove_file(&next).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        let mut file = private_file(&next)?;
        file.write_all(text_of(all, now).as_bytes())?;
        fs::rename(&next, &self.path)?;
        (self.file, self.lines) = (file, all.len() + 1);
        Ok(())
    }
}

fn text_of(users: &[(UserId, Seen)], now: TimestampMs) -> String {
    let mut text = String::with_capacity(users.len() * 26 + 32);
    for (user, seen) in users {
        let _ = match seen {
            Seen::At(at) => writeln!(text, "{user} {at}"),
            Seen::Online => writeln!(text, "{user} {ONLINE}"),
        };
    }
    let _ = writeln!(text, "{ALIVE} {now}");
    text
}

/// What the lines say together, and how many there are.
fn read(file: &File) -> io::Result<(LastSeen, usize)> {
    let mut users = HashMap::new();
    let mut alive = None;
    let mut lines = 0;
    for line in BufReader::new(file).split(b'\n') {
        lines += 1;
        let line = String::from_utf8(line?).unwrap_or_default();
        let Some((name, value)) = line.split_once(' ') else { continue };
        let at = value.parse().map(TimestampMs::new).ok();
        if name == ALIVE {
            alive = at.or(alive);
        } else if let Ok(user) = name.parse().map(UserId::new) {
            match at {
                Some(at) => drop(users.insert(user, Seen::At(at))),
                None if value == ONLINE => drop(users.insert(user, Seen::Online)),
                None => {}
            }
        }
    }
    users.retain(|_, seen| match (&seen, alive) {
        (Seen::At(_), _) => true,
        (Seen::Online, Some(alive)) => {
            *seen = Seen::At(alive);
            true
        }
        (Seen::Online, None) => false,
    });
    Ok((LastSeen { users, changed: HashSet::new() }, lines))
}

/// Opens or creates a file that only its owner can read: when people are there is their own
/// business.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.read(true).append(true).create(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: u64) -> UserId {
        UserId::new(id)
    }

    fn at(ms: u64) -> Seen {
        Seen::At(TimestampMs::new(ms))
    }

    fn known(path: &Path) -> Vec<(u64, Seen)> {
        let (_, known) = SavedLastSeen::open(path).unwrap();
        let mut all: Vec<_> =
            known.all().into_iter().map(|(user, seen)| (user.get(), seen)).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last-seen");
        let text = b"1 10\n2 online\n\nx y\n3\n4 soon\n\xff\xfe 5\nalive 77\n1 20\n5 onl";
        fs::write(&path, text).unwrap();
        assert_eq!(known(&path), [(1, at(20)), (2, at(77))]);
    }

    #[test]
    fn a_file_with_much_that_is_out_of_date_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last-seen");
        let (mut saved, mut last_seen) = SavedLastSeen::open(&path).unwrap();
        let mut time = 0;
        while !saved.is_long(500) {
            for id in 0..500 {
                time += 1;
                last_seen.set(user(id), at(time));
            }
            saved.append(&last_seen.take_changes(), TimestampMs::new(time)).unwrap();
            assert!(time < 100_000, "it is never long");
        }
        let long = fs::metadata(&path).unwrap().len();
        saved.replace(&last_seen.all(), TimestampMs::new(time)).unwrap();
        assert!(fs::metadata(&path).unwrap().len() * 4 < long);
        assert!(!saved.is_long(500));
        // And goes on after that.
        saved.append(&[(user(7), at(1))], TimestampMs::new(time)).unwrap();
        let again = known(&path);
        assert_eq!(again.len(), 500);
        assert_eq!(again[7], (7, at(1)));
    }

    #[test]
    fn those_are_forgotten_who_have_been_away_the_longest() {
        let mut last_seen = LastSeen::default();
        for id in 1..=10 {
            last_seen.set(user(id), at(id * 100));
        }
        last_seen.set(user(11), Seen::Online);
        last_seen.make_room(8);
        let mut left: Vec<_> = last_seen.all().into_iter().map(|(user, _)| user.get()).collect();
        left.sort_unstable();
        assert_eq!(left, [6, 7, 8, 9, 10, 11]);
        assert_eq!(last_seen.get(user(11)), None);
        assert_eq!(last_seen.get(user(10)), Some(TimestampMs::new(1_000)));
    }
}
