//! Who talks to whom. It follows from the plan alone, never from what arrives.

use serde::{Deserialize, Serialize};

/// Who talks to whom, by the index of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cast {
    /// Nobody sends.
    Nobody,
    /// Nobody sends, but so many consecutive connections are in a group.
    Silent {
        /// Its members.
        size: u32,
    },
    /// Everybody sends to the server and gets it back.
    Echo,
    /// Connections 2k and 2k + 1 talk to each other.
    Pairs {
        /// Both send, instead of only 2k.
        both_ways: bool,
    },
    /// So many consecutive connections are in a group.
    Groups {
        /// Its members.
        size: u32,
        /// How many of them speak; the first ones.
        senders: u32,
    },
}

impl Cast {
    /// How many consecutive connections belong together; the first of them has an index
    /// that is a multiple of this.
    pub fn unit(self) -> u32 {
        match self {
            Self::Nobody | Self::Echo => 1,
            Self::Pairs { .. } => 2,
            Self::Groups { size, .. } | Self::Silent { size } => size,
        }
    }

    /// How many are in a group; none if there are no groups.
    pub fn group_size(self) -> Option<u32> {
        match self {
            Self::Groups { size, .. } | Self::Silent { size } => Some(size),
            Self::Nobody | Self::Echo | Self::Pairs { .. } => None,
        }
    }

    /// Whether anybody sends.
    pub fn talks(self) -> bool {
        !matches!(self, Self::Nobody | Self::Silent { .. })
    }

    /// Which conversation a connection is in.
    pub fn conversation(self, index: u32) -> u32 {
        index / self.unit()
    }

    /// Whether a connection sends.
    pub fn sends(self, index: u32) -> bool {
        match self {
            Self::Nobody | Self::Silent { .. } => false,
            Self::Echo => true,
            Self::Pairs { both_ways } => both_ways || index.is_multiple_of(2),
            Self::Groups { size, senders } => index % size < senders,
        }
    }

    /// Whether a connection is sent to.
    pub fn receives(self, index: u32) -> bool {
        match self {
            Self::Nobody | Self::Silent { .. } => false,
            Self::Echo | Self::Groups { .. } => true,
            Self::Pairs { both_ways } => both_ways || !index.is_multiple_of(2),
        }
    }

    /// How many connections each message is for.
    pub fn audience(self) -> u32 {
        match self {
            Self::Nobody | Self::Silent { .. } => 0,
            Self::Echo | Self::Pairs { .. } => 1,
            Self::Groups { size, .. } => size - 1,
        }
    }

    /// Whom the messages of a sender are for.
    pub fn recipients(self, sender: u32) -> impl Iterator<Item = u32> {
        let (from, to) = match self {
            Self::Nobody | Self::Silent { .. } => (0, 0),
            Self::Echo => (sender, sender + 1),
            Self::Pairs { .. } => (sender ^ 1, (sender ^ 1) + 1),
            Self::Groups { size, .. } => {
                let from = sender / size * size;
                (from, from + size)
            }
        };
        (from..to).filter(move |index| self == Self::Echo || *index != sender)
    }

    /// Whose messages a connection gets.
    pub fn senders(self, recipient: u32) -> impl Iterator<Item = u32> {
        let unit = self.unit();
        let from = recipient / unit * unit;
        (from..from + unit).filter(move |sender| {
            self.sends(*sender) && (self == Self::Echo || *sender != recipient)
        })
    }

    /// How many (sender, recipient) places `connections` need.
    pub fn places(self, connections: u32) -> usize {
        match self {
            Self::Nobody | Self::Silent { .. } => 0,
            Self::Echo | Self::Pairs { .. } => connections as usize,
            Self::Groups { size, senders } => {
                (connections / size) as usize * size as usize * senders as usize
            }
        }
    }

    /// The place of a sender's messages at a recipient; none if they are not for it.
    pub fn place(self, sender: u32, recipient: u32) -> Option<usize> {
        if !self.sends(sender) {
            return None;
        }
        match self {
            Self::Nobody | Self::Silent { .. } => None,
            Self::Echo => (sender == recipient).then_some(sender as usize),
            Self::Pairs { .. } => (sender ^ 1 == recipient).then_some(sender as usize),
            Self::Groups { size, senders } => {
                let group = sender / size;
                (recipient / size == group && recipient != sender).then(|| {
                    let stream = group as usize * senders as usize + (sender % size) as usize;
                    stream * size as usize + (recipient % size) as usize
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_pair_of_sender_and_recipient_has_a_place_of_its_own() {
        for cast in [
            Cast::Nobody,
            Cast::Silent { size: 4 },
            Cast::Echo,
            Cast::Pairs { both_ways: false },
            Cast::Pairs { both_ways: true },
            Cast::Groups { size: 6, senders: 2 },
            Cast::Groups { size: 3, senders: 3 },
        ] {
            let connections = 12;
            let mut places = BTreeSet::new();
            for sender in 0..connections {
                let recipients: Vec<_> =
                    if cast.sends(sender) { cast.recipients(sender).collect() } else { vec![] };
                if cast.sends(sender) {
                    assert_eq!(recipients.len() as u32, cast.audience());
                }
                for recipient in 0..connections {
                    let place = cast.place(sender, recipient);
                    assert_eq!(place.is_some(), recipients.contains(&recipient));
                    assert_eq!(
                        place.is_some(),
                        cast.senders(recipient).any(|other| other == sender)
                    );
                    if let Some(place) = place {
                        assert!(cast.receives(recipient));
                        assert!(place < cast.places(connections));
                        assert!(places.insert(place));
                    }
                }
            }
        }
    }
}
