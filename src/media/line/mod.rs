//! Two mixer lines: what each one carries, what is wrong with it, and how the programme's sound is made of them.
//!
//! ```text
//!              ┌─ Watch: clip, glitch, hum, howl, levels ─ Look ─┐
//! samples ─────┤                                                 ├─ Pair ─► findings, 10 Hz
//! with time    └─ Store: drift, resampler, delay ─► Strip ─┐     │
//!                                   leads made right, gain │  Align: the lag between both
//!                                                          ▼
//!                        Bus: crossfade, high-pass, levelling, mute, limiter ─► programme
//! ```
//! Everything here is plain arithmetic on blocks of samples with a time argument.

mod align;
mod block;
mod breadth;
mod bus;
mod clip;
mod drift;
mod evidence;
mod filter;
mod findings;
mod glitch;
mod howl;
mod hum;
mod leads;
mod level;
mod limiter;
mod mixer;
mod pair;
mod settings;
mod stats;
mod third;
mod watch;

pub use align::{Align, Lag};
pub use bus::{Bus, Strip};
pub use drift::Drift;
pub use findings::{Fault, Finding, Findings};
pub use leads::{Leads, Matrix};
pub use limiter::Limiter;
pub use mixer::{Fetch, Mixer};
pub use pair::Pair;
pub use settings::{Delay, Gain, Levelling, Settings, SoundOrders};
pub use stats::{LineStats, SoundStats};
pub use watch::{Look, Watch};
