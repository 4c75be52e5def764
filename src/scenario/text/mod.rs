//! What a person wrote, as text: where each word stands, what a value is, and how a mistake is told.
//!
//! Nothing here knows what a key means: `keys` says that, and `read` asks it.

pub(super) mod file;
mod pasted;
pub(super) mod port_text;
pub(super) mod problem;
pub(super) mod quantity;
mod render;
pub(super) mod scan;
pub(super) mod source;
pub(super) mod suggest;
pub(super) mod syntax;
pub(super) mod tree;
pub(super) mod walk;

pub(super) use pasted::root_of;
