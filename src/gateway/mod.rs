//! The cloud side: many boxes, one port.
