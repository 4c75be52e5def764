//! What a scenario was read from.

use std::sync::Arc;

use super::overrides::Override;

/// What a scenario was read from, to be read again with more changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Text {
    pub origin: Arc<str>,
    pub text: Arc<[u8]>,
    pub overrides: Vec<Override>,
}
