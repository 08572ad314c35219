//! What the kernel says of devices that come and go: one message of its uevent socket.

/// What happened to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is there.
    Add,
    /// It is gone.
    Remove,
    /// Something about it is different.
    Change,
}

/// One message of the kernel about one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uevent<'a> {
    /// What happened.
    pub action: Action,
    /// Kind of device: `video4linux`, `sound`.
    pub subsystem: &'a str,
    /// Name of its node below `/dev`; empty if it has none.
    pub node: &'a str,
}

impl<'a> Uevent<'a> {
    /// Reads a message: `add@/devices/…`, then `KEY=value` texts, each ended by a zero byte. `None`
    /// for what no kernel says, and for actions that concern drivers and not devices.
    #[must_use]
    pub fn read(message: &'a [u8]) -> Option<Self> {
        let mut texts = message.split(|byte| *byte == 0).map(std::str::from_utf8);
        // udev's own messages begin otherwise
        texts.next()?.ok()?.split_once('@')?;
        let (mut action, mut subsystem, mut node) = (None, "", "");
        for text in texts.flatten() {
            match text.split_once('=') {
                Some(("ACTION", "add")) => action = Some(Action::Add),
                Some(("ACTION", "remove")) => action = Some(Action::Remove),
                Some(("ACTION", "change")) => action = Some(Action::Change),
                Some(("SUBSYSTEM", name)) => subsystem = name,
                Some(("DEVNAME", name)) => node = name,
                _ => {}
            }
        }
        Some(Self { action: action?, subsystem, node })
    }

    /// A camera or capture card came, went or changed.
    #[must_use]
    pub fn is_video(&self) -> bool {
        self.subsystem == "video4linux"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_that_is_plugged_in_is_read() {
        let message = b"add@/devices/platform/vivid.0/video4linux/video0\0ACTION=add\0\
                        DEVPATH=/devices/platform/vivid.0/video4linux/video0\0SUBSYSTEM=video4linux\0\
                        MAJOR=81\0MINOR=0\0DEVNAME=video0\0SEQNUM=2311\0";

        let event = Uevent::read(message).unwrap();

        assert_eq!(event, Uevent { action: Action::Add, subsystem: "video4linux", node: "video0" });
        assert!(event.is_video());
    }

    #[test]
    fn what_is_no_devices_news_is_passed_over() {
        assert_eq!(Uevent::read(b"libudev\0\xfe\xed\xca\xfe"), None);
        assert_eq!(Uevent::read(b""), None);
        assert_eq!(Uevent::read(b"bind@/devices/x\0ACTION=bind\0SUBSYSTEM=usb\0"), None);
        assert_eq!(Uevent::read(b"add@\xff\xff"), None);
    }

    #[test]
    fn any_bytes_are_read_without_harm() {
        let mut rng = crate::rng::Rng::simulated(9);
        for length in 0..400 {
            let mut bytes = vec![0; length];
            rng.fill(&mut bytes);
            let _ = Uevent::read(&bytes);
        }
    }
}
