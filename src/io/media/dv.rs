//! What a V4L2 receiver of a DV signal is asked and told, which the v4l crate lacks: input, timings, EDID,
//! power, events. Each call is one ioctl.

use std::os::fd::RawFd;

use nix::errno::Errno;
use v4l::v4l_sys::{
    V4L2_CID_DV_RX_POWER_PRESENT, V4L2_EVENT_CTRL, V4L2_EVENT_SOURCE_CHANGE, v4l2_control, v4l2_dv_timings, v4l2_edid,
    v4l2_event, v4l2_event_subscription, v4l2_input,
};

use crate::media::edid;
use crate::media::timings::Timings;

/// A driver that reports more events than this at once is broken; the rest waits for the next look.
const EVENTS: usize = 64;

/// The device's current input.
///
/// # Errors
/// The driver's; `ENODEV` once the device is gone.
#[allow(unsafe_code, reason = "the v4l crate has no ENUMINPUT")]
pub(super) fn input(fd: RawFd) -> nix::Result<v4l2_input> {
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

/// The timings of the signal that is there now.
///
/// # Errors
/// `ENOLINK` without a signal, `ENOLCK` without lock, `ERANGE` for one that it cannot take.
#[allow(unsafe_code, reason = "the v4l crate has no DV timings")]
pub(super) fn query(fd: RawFd) -> nix::Result<v4l2_dv_timings> {
    nix::ioctl_read!(query_dv_timings, b'V', 99, v4l2_dv_timings);
    // SAFETY: the call writes within the structure given, which is plain numbers, valid when zero.
    unsafe {
        let mut timings: v4l2_dv_timings = std::mem::zeroed();
        query_dv_timings(fd, &raw mut timings)?;
        Ok(timings)
    }
}

/// Sets the device to these timings.
///
/// # Errors
/// `EBUSY` while pictures flow; else the driver's.
#[allow(unsafe_code, reason = "the v4l crate has no DV timings")]
pub(super) fn adopt(fd: RawFd, timings: &mut v4l2_dv_timings) -> nix::Result<()> {
    nix::ioctl_readwrite!(s_dv_timings, b'V', 87, v4l2_dv_timings);
    // SAFETY: the call reads and writes within the structure given.
    unsafe { s_dv_timings(fd, std::ptr::from_mut(timings)).map(drop) }
}

/// The kernel's timings in the house's words.
#[allow(unsafe_code, reason = "the kernel's structure is a union with one member that is used")]
pub(super) fn shape(timings: &v4l2_dv_timings) -> Timings {
    // SAFETY: BT timings are the only kind that exists; any bytes are valid numbers.
    let bt = unsafe { timings.__bindgen_anon_1.bt };
    let interlaced = bt.interlaced != 0;
    let sum = |parts: &[u32]| parts.iter().fold(0u32, |sum, part| sum.saturating_add(*part));
    let across = sum(&[bt.width, bt.hfrontporch, bt.hsync, bt.hbackporch]);
    let mut down = sum(&[bt.height, bt.vfrontporch, bt.vsync, bt.vbackporch]);
    if interlaced {
        down = sum(&[down, bt.il_vfrontporch, bt.il_vsync, bt.il_vbackporch]);
    }
    Timings::of(bt.width, bt.height, interlaced, bt.pixelclock, (across, down))
}

/// True if the plug brings power, false if nothing is plugged in; an error if the driver cannot tell.
#[allow(unsafe_code, reason = "the v4l crate panics at controls that are newer than it")]
pub(super) fn power(fd: RawFd) -> nix::Result<bool> {
    nix::ioctl_readwrite!(g_ctrl, b'V', 27, v4l2_control);
    let mut control = v4l2_control { id: V4L2_CID_DV_RX_POWER_PRESENT, value: 0 };
    // SAFETY: the call reads and writes within the structure given.
    unsafe { g_ctrl(fd, &raw mut control)? };
    Ok(control.value != 0)
}

/// Offers our own EDID, unless it stands there already: a source that sees a new one begins afresh.
/// True if it was written.
///
/// # Errors
/// The driver's: one without EDID says `ENOTTY`, one with no room for two blocks `E2BIG`.
#[allow(unsafe_code, reason = "the v4l crate has no EDID")]
pub(super) fn offer(fd: RawFd) -> nix::Result<bool> {
    nix::ioctl_readwrite!(g_edid, b'V', 40, v4l2_edid);
    nix::ioctl_readwrite!(s_edid, b'V', 41, v4l2_edid);
    let mut ours = edid::laptop();
    let mut there = [0u8; edid::BYTES];
    let blocks = (edid::BYTES / edid::BLOCK) as u32;
    let of = |bytes: &mut [u8; edid::BYTES]| v4l2_edid {
        pad: 0,
        start_block: 0,
        blocks,
        reserved: [0; 5],
        edid: bytes.as_mut_ptr(),
    };
    // SAFETY: the structure points to `blocks` blocks of 128 bytes, which outlive both calls.
    unsafe {
        let mut now = of(&mut there);
        if g_edid(fd, &raw mut now).is_ok() && now.blocks == blocks && there == ours {
            return Ok(false);
        }
        let mut wish = of(&mut ours);
        s_edid(fd, &raw mut wish)?;
    }
    Ok(true)
}

/// Asks to be told when the signal or the power of `input` changes; how many of the two the driver can tell.
#[allow(unsafe_code, reason = "the v4l crate has no events")]
pub(super) fn subscribe(fd: RawFd, input: u32) -> usize {
    nix::ioctl_write_ptr!(subscribe_event, b'V', 90, v4l2_event_subscription);
    let wanted = [(V4L2_EVENT_SOURCE_CHANGE, input), (V4L2_EVENT_CTRL, V4L2_CID_DV_RX_POWER_PRESENT)];
    let done = wanted.into_iter().filter(|(kind, id)| {
        let wish = v4l2_event_subscription { type_: *kind, id: *id, flags: 0, reserved: [0; 5] };
        // SAFETY: the call reads the structure given.
        unsafe { subscribe_event(fd, &raw const wish) }.is_ok()
    });
    done.count()
}

/// Takes every event that waits; true if there was one. What it says is asked of the driver anyway.
#[allow(unsafe_code, reason = "the v4l crate has no events")]
pub(super) fn drain(fd: RawFd) -> bool {
    nix::ioctl_read!(dequeue_event, b'V', 89, v4l2_event);
    let mut any = false;
    for _ in 0..EVENTS {
        // SAFETY: the call writes within the structure given, which is plain numbers, valid when zero.
        let taken = unsafe {
            let mut event: v4l2_event = std::mem::zeroed();
            dequeue_event(fd, &raw mut event)
        };
        if taken.is_err() {
            break;
        }
        any = true;
    }
    any
}
