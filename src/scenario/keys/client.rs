//! The keys of `[client.NAME]`.

use super::words::{ENDINGS, TURNED, names};
use super::{Is, KEY, Key, Place, System, Usual};

const CLIENT: Key = Key { at: Place::Client, changes: true, ..KEY };

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "on",
        is: Is::Name,
        usual: Usual::Is("the only one"),
        changes: false,
        doc: "the host that it runs on",
        example: "\"crawler\"",
        ..CLIENT
    },
    Key {
        name: "to",
        is: Is::Names,
        usual: Usual::Is("the only one"),
        doc: "the destination that it connects to, or shares of several",
        example: "{ api = 0.7, cdn = 0.3 }",
        ..CLIENT
    },
    Key {
        name: "arrivals",
        is: Is::Arrivals,
        usual: Usual::Is("needed, or `requests`"),
        doc: "when it tries to connect",
        example: "{ process = \"poisson\", rate = \"600 / s\" }",
        ..CLIENT
    },
    Key {
        name: "lifetime",
        is: Is::Law,
        usual: Usual::Is("needed with `arrivals`, where no record has it"),
        doc: "how long a connection lasts until it is closed",
        example: "{ distribution = \"exponential\", mean = \"200 ms\" }",
        ..CLIENT
    },
    Key {
        name: "requests",
        is: Is::Arrivals,
        usual: Usual::Is("none: each attempt is for a connection of its own"),
        doc: "when it makes requests, over connections that its `pool` keeps",
        example: "{ process = \"poisson\", rate = \"2000 / s\" }",
        ..CLIENT
    },
    Key {
        name: "service",
        is: Is::Law,
        usual: Usual::Is("needed with `requests`, where no record has it"),
        doc: "how long a request takes on its connection, until it is answered",
        example: "{ distribution = \"exponential\", mean = \"80 ms\" }",
        ..CLIENT
    },
    Key {
        name: "pool",
        is: Is::Pool,
        usual: Usual::Is("needed with `requests`"),
        doc: "how it keeps connections for requests to come: a preset (`portsim presets`), or a table",
        example: "{ preset = \"go\", max_idle = 10 }",
        ..CLIENT
    },
    Key {
        name: "retries",
        is: Is::Table(Place::Retries),
        usual: Usual::Is("none: what fails is not tried again"),
        doc: "what it does with attempts, or requests, that fail",
        example: "{ attempts = 3, backoff = \"100 ms\" }",
        ..CLIENT
    },
    Key {
        name: "closes",
        is: Is::Shares(|| [names(ENDINGS), names(TURNED)].concat()),
        usual: Usual::Value("\"client\""),
        doc: "who closes, or shares of several; `unread`: the client, with data that it has not read; \
              `half`: the client, and the server never does",
        example: "{ client = 0.7, server = 0.3 }",
        ..CLIENT
    },
    Key {
        name: "second_fin_after",
        is: Is::Law,
        usual: Usual::Value("\"0 s\""),
        doc: "from the first FIN to the other side's",
        example: "\"3 s\"",
        ..CLIENT
    },
    Key {
        name: "binds",
        is: Is::Binds,
        usual: Usual::Value("\"connect\""),
        doc: "the call that takes the port, or the ports that the client names itself",
        example: "{ ports = \"40000-40009\" }",
        ..CLIENT
    },
    Key {
        name: "reuse_address",
        is: Is::Flag,
        usual: Usual::Value("false"),
        on: System::Linux,
        doc: "SO_REUSEADDR",
        example: "true",
        ..CLIENT
    },
    Key {
        name: "reuse_port",
        is: Is::Flag,
        usual: Usual::Value("false"),
        on: System::Linux,
        doc: "SO_REUSEPORT",
        example: "true",
        ..CLIENT
    },
    Key {
        name: "port_range",
        is: Is::Range,
        on: System::Linux,
        doc: "IP_LOCAL_PORT_RANGE",
        example: "\"40010-40029\"",
        ..CLIENT
    },
    Key {
        name: "address",
        is: Is::Whole(1..=65_536),
        usual: Usual::Is("all in turn"),
        doc: "number of the source address, from 1",
        example: "1",
        ..CLIENT
    },
];
