//! Endpoints, numbered through.

use crate::model::World;

/// Endpoints of the destinations that the clients of one host use, numbered through.
#[derive(Clone, Debug)]
pub struct EndpointNumbers {
    /// For each destination of the world the number of its first endpoint, if it is used.
    first: Vec<Option<u32>>,
    /// Endpoints in all.
    count: u32,
}

impl EndpointNumbers {
    /// Numbers the endpoints that `world.hosts[host]` connects to.
    ///
    /// # Panics
    /// When there are 2^32 or more.
    #[must_use]
    pub fn of(world: &World, host: usize) -> Self {
        let clients = &world.hosts[host].clients;
        let mut count = 0_u32;
        let first = world.destinations.iter().enumerate().map(|(index, destination)| {
            let used = clients.iter().flat_map(|c| &c.targets).any(|t| t.destination == index);
            used.then(|| {
                let first = count;
                count =
                    count.checked_add(destination.endpoints).expect("fewer than 2^32 endpoints");
                first
            })
        });
        Self { first: first.collect(), count }
    }

    /// The number of the first endpoint of a destination, if it is used.
    #[must_use]
    pub fn first(&self, destination: usize) -> Option<u32> {
        self.first[destination]
    }

    /// The destination that `endpoint` belongs to.
    #[must_use]
    pub fn destination(&self, endpoint: u32) -> usize {
        let before = |first: &Option<u32>| first.is_some_and(|first| first <= endpoint);
        self.first.iter().rposition(before).expect("endpoints are numbered from 0")
    }

    /// Endpoints in all.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }
}
