//! A box and a receiver in virtual time.
