//! Control: the one place that decides.
