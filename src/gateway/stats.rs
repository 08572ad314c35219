//! What the gateway counted: of everything, of each group, of each link.

use std::net::SocketAddr;

use super::outlet::GroupKey;
use crate::bond::native::Drops;
use crate::wire::Echo;

/// What came from people who have no business here, or made no sense; since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Groups now.
    pub groups: usize,
    /// Links now, of all groups.
    pub links: usize,
    /// SRT packets and signs of life from addresses that belong to no group.
    pub strangers: u64,
    /// Datagrams that nobody could read.
    pub unreadable: u64,
    /// Registrations refused.
    pub refused: u64,
    /// Registrations passed over because their address had asked too often.
    pub over_quota: u64,
    /// Copies of SRT packets that went no further.
    pub copies: u64,
    /// Handshakes of an SRT caller that were too long under way.
    pub late_handshakes: u64,
    /// SRT packets passed on to listeners.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Native datagrams that came though no key was given.
    pub keyless: u64,
    /// Native datagrams dropped, by reason.
    pub native: Drops,
}

impl Stats {
    /// Everything dropped, by reason.
    #[must_use]
    pub fn dropped(&self) -> Vec<(String, u64)> {
        let ours = [
            ("stranger", self.strangers),
            ("unreadable", self.unreadable),
            ("refused", self.refused),
            ("over_quota", self.over_quota),
            ("copy", self.copies),
            ("late_handshake", self.late_handshakes),
            ("keyless", self.keyless),
        ];
        let ours = ours.into_iter().map(|(reason, count)| (reason.to_owned(), count));
        ours.chain(self.native.iter().map(|(reason, count)| (format!("native_{}", reason.name()), count))).collect()
    }
}

/// Which wire a group speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// The field's.
    Srtla,
    /// Ours.
    Native,
}

impl Speaks {
    /// The name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Srtla => "srtla",
            Self::Native => "native",
        }
    }
}

/// One link of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkFigures {
    /// The box's number of it; SRTLA has none.
    pub number: Option<u8>,
    /// Where it comes from at present.
    pub address: SocketAddr,
    /// Bytes that came on it.
    pub bytes: u64,
    /// Datagrams that came on it.
    pub packets: u64,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupFigures {
    /// Which group.
    pub key: GroupKey,
    /// The box's name in the registry; empty for SRTLA, which names nobody.
    pub name: String,
    /// Which wire it speaks.
    pub speaks: Speaks,
    /// Its links.
    pub links: Vec<LinkFigures>,
    /// Copies that went no further.
    pub copies: u64,
    /// Sealed frames that nobody could read, or of a type that a later version may have; SRTLA has none.
    pub unread: u64,
    /// The last whole second of each stream.
    pub echoes: Vec<Echo>,
}
