//! The straightforward simulator that speed is measured against does the same work, and right.

#[allow(dead_code, reason = "the bench uses what the tests do not")]
#[path = "../benches/yardstick/mod.rs"]
mod yardstick;
