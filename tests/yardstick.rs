//! The straightforward simulator that speed is measured against does the same work, and right.

#[path = "../benches/yardstick/mod.rs"]
mod yardstick;
