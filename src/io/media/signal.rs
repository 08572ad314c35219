//! Whether a V4L2 input has a signal: power, input status and DV timings, as the board trusts them.

use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, PoisonError};

use nix::errno::Errno;
use v4l::device::Handle;
use v4l::v4l_sys::{
    V4L2_IN_CAP_DV_TIMINGS, V4L2_IN_ST_NO_CARRIER, V4L2_IN_ST_NO_H_LOCK, V4L2_IN_ST_NO_POWER, V4L2_IN_ST_NO_SIGNAL,
    V4L2_IN_ST_NO_SYNC, V4L2_IN_ST_NO_V_LOCK,
};

use super::dv;
use crate::board::SignalTruth;
use crate::lang::{Text, said};
use crate::media::timings::Timings;

/// Any of these in the input's status: no picture worth showing.
const BAD: u32 = V4L2_IN_ST_NO_POWER
    | V4L2_IN_ST_NO_SIGNAL
    | V4L2_IN_ST_NO_H_LOCK
    | V4L2_IN_ST_NO_V_LOCK
    | V4L2_IN_ST_NO_SYNC
    | V4L2_IN_ST_NO_CARRIER;

/// What the driver says of the signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Signal {
    /// There is one, as when the capture began.
    Present,
    /// There is one of another size or rate: the capture must begin afresh.
    Changed,
    /// There is none, as the driver says.
    Absent(Text),
    /// The device itself is no more.
    Gone,
}

/// A second handle on the device that only asks.
pub(super) struct Watch {
    handle: Arc<Handle>,
    truth: SignalTruth,
    adopted: Mutex<Option<Timings>>,
}

impl Watch {
    /// Watches the device's current input; what it says is believed as far as `truth` goes.
    pub(super) fn new(device: &v4l::Device, truth: SignalTruth) -> Self {
        Self { handle: device.handle(), truth, adopted: Mutex::new(None) }
    }

    /// Its file, to wait for events on.
    pub(super) fn fd(&self) -> RawFd {
        self.handle.fd()
    }

    /// True if the input follows a signal with timings of its own, as HDMI does.
    pub(super) fn follows_a_signal(&self) -> bool {
        self.truth != SignalTruth::Pictures
            && dv::input(self.fd()).is_ok_and(|i| i.capabilities & V4L2_IN_CAP_DV_TIMINGS != 0)
    }

    /// Asks for events of this input; how many kinds the driver has.
    pub(super) fn subscribe(&self) -> usize {
        dv::subscribe(self.fd(), dv::input(self.fd()).map_or(0, |input| input.index))
    }

    /// Sets the device to the signal that is there now, and tells what that is.
    pub(super) fn adopt(&self) -> Option<Timings> {
        if !self.follows_a_signal() {
            return None;
        }
        let mut timings = dv::query(self.fd()).ok()?;
        if let Err(error) = dv::adopt(self.fd(), &mut timings) {
            tracing::info!(%error, "the device keeps its timings");
        }
        let shape = dv::shape(&timings);
        *self.adopted.lock().unwrap_or_else(PoisonError::into_inner) = Some(shape);
        Some(shape)
    }

    /// Asks now.
    pub(super) fn look(&self) -> Signal {
        let input = match dv::input(self.fd()) {
            Ok(input) => input,
            Err(Errno::ENODEV | Errno::ENXIO) => return Signal::Gone,
            Err(_) => return Signal::Present,
        };
        if self.truth == SignalTruth::Pictures {
            return Signal::Present;
        }
        let follows = input.capabilities & V4L2_IN_CAP_DV_TIMINGS != 0;
        if follows && dv::power(self.fd()) == Ok(false) {
            return Signal::Absent(said::no_cable());
        }
        if self.truth == SignalTruth::All && input.status & BAD != 0 {
            // the timings know better than the status why there is nothing
            let why = if follows { self.timings() } else { Signal::Present };
            return if matches!(why, Signal::Absent(_)) { why } else { Signal::Absent(words(input.status)) };
        }
        if follows { self.timings() } else { Signal::Present }
    }

    fn timings(&self) -> Signal {
        let adopted = *self.adopted.lock().unwrap_or_else(PoisonError::into_inner);
        match dv::query(self.fd()) {
            Ok(timings) if adopted.is_some_and(|was| !was.same_as(&dv::shape(&timings))) => Signal::Changed,
            Err(Errno::ENOLINK) => Signal::Absent(said::no_signal()),
            Err(Errno::ENOLCK) => Signal::Absent(said::no_lock()),
            Err(Errno::ERANGE) => Signal::Absent(said::out_of_range()),
            Err(Errno::ENODEV | Errno::ENXIO) => Signal::Gone,
            // a driver that does not answer the question has not said no
            Ok(_) | Err(_) => Signal::Present,
        }
    }
}

fn words(status: u32) -> Text {
    match status {
        s if s & V4L2_IN_ST_NO_POWER != 0 => said::no_power(),
        s if s & V4L2_IN_ST_NO_SIGNAL != 0 => said::no_signal(),
        _ => said::no_lock(),
    }
}
