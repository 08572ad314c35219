//! Whole numbers in as few bytes as they need: seven bits a byte, the lowest first.

/// The longest a 32-bit number gets.
const MOST: u32 = 5;

/// Appends `value`.
pub(super) fn put(mut value: u32, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends `value` so that small ones of either sign stay short.
pub(super) fn put_signed(value: i32, out: &mut Vec<u8>) {
    put(((value << 1) ^ (value >> 31)) as u32, out);
}

/// Bytes still to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        let (&head, tail) = self.0.split_first()?;
        self.0 = tail;
        Some(head)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take(2).and_then(|b| b.try_into().ok()).map(u16::from_be_bytes)
    }

    pub(super) fn u24(&mut self) -> Option<u32> {
        let b = self.take(3)?;
        Some(u32::from_be_bytes([0, b[0], b[1], b[2]]))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take(4).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.take(8).and_then(|b| b.try_into().ok()).map(u64::from_be_bytes)
    }

    /// A number that [`put`] wrote; what does not fit 32 bits is none.
    pub(super) fn varint(&mut self) -> Option<u32> {
        let mut value = 0_u64;
        for at in 0..MOST {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return u32::try_from(value).ok();
            }
        }
        None
    }

    /// A number that [`put_signed`] wrote.
    pub(super) fn signed(&mut self) -> Option<i32> {
        self.varint().map(|value| (value >> 1) as i32 ^ -((value & 1) as i32))
    }
}

/// Appends the lower 24 bits of `value`.
pub(super) fn put_u24(value: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_be_bytes()[1..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_were_written() {
        for value in [0, 1, 63, 64, 127, 128, 16_383, 16_384, 0x00ff_ffff, i32::MAX] {
            let mut out = Vec::new();
            put(value as u32, &mut out);
            put_signed(value, &mut out);
            put_signed(-value, &mut out);

            let mut cursor = Cursor(&out);

            assert_eq!(cursor.varint(), Some(value as u32));
            assert_eq!(cursor.signed(), Some(value));
            assert_eq!(cursor.signed(), Some(-value));
            assert_eq!(cursor.u8(), None);
        }
        assert_eq!(Cursor(&[0xff; 9]).varint(), None, "more than 32 bits");
    }
}
