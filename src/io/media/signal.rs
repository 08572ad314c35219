//! Whether a V4L2 input has a signal: input status and DV timings, which the v4l crate lacks.

use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, PoisonError};

use nix::errno::Errno;
use v4l::device::Handle;
use v4l::v4l_sys::{
    V4L2_IN_CAP_DV_TIMINGS, V4L2_IN_ST_NO_CARRIER, V4L2_IN_ST_NO_H_LOCK, V4L2_IN_ST_NO_POWER, V4L2_IN_ST_NO_SIGNAL,
    V4L2_IN_ST_NO_SYNC, V4L2_IN_ST_NO_V_LOCK, v4l2_dv_timings, v4l2_input,
};

use crate::lang::{Text, said};

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
}

/// Size and rate of a DV signal.
type Shape = (u32, u32, u64);

/// A second handle on the device that only asks.
pub(super) struct Watch {
    handle: Arc<Handle>,
    adopted: Mutex<Option<Shape>>,
}

impl Watch {
    /// Watches the device's current input.
    pub(super) fn new(device: &v4l::Device) -> Self {
        Self { handle: device.handle(), adopted: Mutex::new(None) }
    }

    fn fd(&self) -> RawFd {
        self.handle.fd()
    }

    /// True if the input follows a signal with timings of its own, as HDMI does.
    pub(super) fn follows_a_signal(&self) -> bool {
        input(self.fd()).is_ok_and(|i| i.capabilities & V4L2_IN_CAP_DV_TIMINGS != 0)
    }

    /// Sets the device to the signal that is there now.
    pub(super) fn adopt(&self) {
        if !self.follows_a_signal() {
            return;
        }
        let Ok(mut timings) = query(self.fd()) else { return };
        if let Err(error) = adopt(self.fd(), &mut timings) {
            tracing::info!(%error, "the device keeps its timings");
        }
        *self.adopted.lock().unwrap_or_else(PoisonError::into_inner) = Some(shape(&timings));
    }

    /// Asks now.
    pub(super) fn look(&self) -> Signal {
        let Ok(input) = input(self.fd()) else { return Signal::Present };
        if input.status & BAD != 0 {
            return Signal::Absent(words(input.status));
        }
        if input.capabilities & V4L2_IN_CAP_DV_TIMINGS == 0 {
            return Signal::Present;
        }
        let adopted = *self.adopted.lock().unwrap_or_else(PoisonError::into_inner);
        match query(self.fd()) {
            Ok(timings) if adopted.is_some_and(|was| was != shape(&timings)) => Signal::Changed,
            Ok(_) => Signal::Present,
            Err(Errno::ENOLINK) => Signal::Absent(said::no_signal()),
            Err(Errno::ENOLCK) => Signal::Absent(said::no_lock()),
            Err(Errno::ERANGE) => Signal::Absent(said::out_of_range()),
            // a driver that does not answer the question has not said no
            Err(_) => Signal::Present,
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

#[allow(unsafe_code, reason = "the v4l crate has no ENUMINPUT")]
fn input(fd: RawFd) -> nix::Result<v4l2_input> {
    nix::ioctl_read!(g_input, b'V', 38, libc::c_int);
    nix::ioctl_readwrite!(enum_input, b'V', 26, v4l2_input);
    let mut index = 0;
    // SAFETY: both calls write within the structures given, which are plain numbers, valid when zero.
    unsafe {
        g_input(fd, &raw mut index)?;
        let mut input: v4l2_input = std::mem::zeroed();
        input.index = u32::try_from(index).map_err(|_| Errno::EINVAL)?;
        enum_input(fd, &raw mut input)?;
        Ok(input)
    }
}

#[allow(unsafe_code, reason = "the v4l crate has no DV timings")]
fn query(fd: RawFd) -> nix::Result<v4l2_dv_timings> {
    nix::ioctl_read!(query_dv_timings, b'V', 99, v4l2_dv_timings);
    // SAFETY: the call writes within the structure given, which is plain numbers, valid when zero.
    unsafe {
        let mut timings: v4l2_dv_timings = std::mem::zeroed();
        query_dv_timings(fd, &raw mut timings)?;
        Ok(timings)
    }
}

#[allow(unsafe_code, reason = "the v4l crate has no DV timings")]
fn adopt(fd: RawFd, timings: &mut v4l2_dv_timings) -> nix::Result<()> {
    nix::ioctl_readwrite!(s_dv_timings, b'V', 87, v4l2_dv_timings);
    // SAFETY: the call reads and writes within the structure given.
    unsafe { s_dv_timings(fd, std::ptr::from_mut(timings)).map(drop) }
}

#[allow(unsafe_code, reason = "the kernel's structure is a union with one member that is used")]
fn shape(timings: &v4l2_dv_timings) -> Shape {
    // SAFETY: BT timings are the only kind that exists; any bytes are valid numbers.
    let bt = unsafe { timings.__bindgen_anon_1.bt };
    (bt.width, bt.height, bt.pixelclock)
}
