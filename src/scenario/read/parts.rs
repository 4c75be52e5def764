//! A client in parts, while it is being read.

use crate::model::{
    Arrivals, Binds, Client, Distribution, Ending, KeepAlive, Retries, SocketOptions, Target,
};

/// The fields of a client, each of which may have been wrong.
#[derive(Debug)]
pub(crate) struct Parts {
    pub targets: Option<Vec<Target>>,
    pub arrivals: Option<Arrivals>,
    pub lifetime: Option<Distribution>,
    pub closes: Option<Vec<(Ending, f64)>>,
    pub second_fin: Option<Distribution>,
    pub socket: Option<(Binds, SocketOptions)>,
    /// `None` in it for a client without requests.
    pub pool: Option<Option<KeepAlive>>,
    /// `None` in it for a client that does not try again.
    pub retries: Option<Option<Retries>>,
}

impl Parts {
    /// The client called `name`; `None` where a part of it was wrong.
    pub fn together(self, name: &str) -> Option<Client> {
        let (binds, socket) = self.socket?;
        Some(Client {
            name: name.to_owned(),
            targets: self.targets?,
            arrivals: self.arrivals?,
            lifetime: self.lifetime?,
            closes: self.closes?,
            second_fin: self.second_fin?,
            binds,
            socket,
            pool: self.pool?,
            retries: self.retries?,
        })
    }
}
