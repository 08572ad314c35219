//! livebox: the firmware of a portable live box.
//!
//! Two wings. What *thinks* is plain Rust without clock, socket, file or thread; what *touches*
//! the world stands in [`io`]. A machine of the thinking wing is driven so: after any `handle_*`,
//! poll every `poll_*` until it is empty, then sleep until `next_timeout()` or the next input.
//!
//! The rooms, in the order the data meets them:

// ground floor: words that everyone uses
pub mod lang;
pub mod rng;
pub mod table;
pub mod time;
pub mod units;

// the wire and the bonding engine
pub mod bond;
pub mod flow;
pub mod gateway;
pub mod sim;
pub mod wire;

// the subjects
pub mod alarm;
pub mod board;
pub mod event;
pub mod health;
pub mod media;
pub mod record;
pub mod uplink;

// what is said, who decides, who shows
pub mod config;
pub mod control;
pub mod message;
pub mod mqtt;
pub mod panel;

// the wing that touches the world
pub mod cmd;
pub mod io;
