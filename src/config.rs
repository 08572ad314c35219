//! Config: one section a room, checked as a whole.
