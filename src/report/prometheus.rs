//! A page for Prometheus: the text format that the node exporter's text-file collector reads.
//!
//! Source: Prometheus documentation, "Exposition formats", text-based format, version 0.0.4.

use std::fmt::Write;

use crate::inspect::{Flow, Forecast, Inspection, Prospect};

/// The gauges of `inspection`, with those of the first `many` flows: every destination is a series of its own
/// in the database, so their number must have a bound.
#[must_use]
pub fn page(inspection: &Inspection, many: usize) -> String {
    let (census, range) = (&inspection.census, inspection.system.range);
    let mut page = Page::default();
    page.gauge("range_ports", "Ports of the dynamic range.", range.num_ephemeral());
    let help =
        "Ports of the range that connect() may choose: neither reserved nor bound by anybody.";
    page.gauge("usable_ports", help, census.usable);
    page.family("sockets", "TCP sockets by state.");
    for (state, count) in &census.states {
        page.sample("sockets", &[("state", state.name())], *count as f64);
    }
    let help = "Pairs of source address and destination endpoint that hold ports of the range.";
    page.gauge("destinations", help, census.flows.len() as u32);
    let told = census.flows.len().min(many);
    page.gauge("destinations_told", "Of these, those that have samples on this page.", told as u32);
    if let Some(begun) = inspection.begun {
        page.family("connections_begun_per_second", "By the system's own count.");
        page.sample("connections_begun_per_second", &[], begun);
    }
    let flows: Vec<_> = census.flows.iter().zip(&inspection.prospects).take(many).collect();
    for gauge in GAUGES {
        page.family(gauge.name, gauge.help);
        for (flow, prospect) in &flows {
            let Some(value) = (gauge.value)(flow, prospect) else { continue };
            let (source, destination) = (flow.source.to_string(), flow.destination.to_string());
            page.sample(gauge.name, &[("source", &source), ("destination", &destination)], value);
        }
    }
    page.text
}

/// One gauge of each flow.
struct Gauge {
    name: &'static str,
    help: &'static str,
    value: fn(&Flow, &Prospect) -> Option<f64>,
}

const GAUGES: [Gauge; 8] = [
    Gauge {
        name: "ports_left",
        help: "Ports that the next connection to the destination can have.",
        value: |flow, _| Some(flow.left.into()),
    },
    Gauge {
        name: "ports_taken_ratio",
        help: "Share of the usable ports that is taken for the destination, 0 to 1.",
        value: |flow, _| Some(flow.taken()),
    },
    Gauge {
        name: "established",
        help: "Connections in ESTABLISHED.",
        value: |flow, _| Some(flow.established.into()),
    },
    Gauge {
        name: "time_wait",
        help: "Connections in TIME-WAIT.",
        value: |flow, _| Some(flow.time_wait.into()),
    },
    Gauge {
        name: "opened_per_second",
        help: "Connections opened; from a single look, what the ages of TIME-WAITs tell.",
        value: |_, prospect| prospect.rates.map(|rates| rates.opening),
    },
    Gauge {
        name: "closed_per_second",
        help: "Connections closed.",
        value: |_, prospect| prospect.rates.map(|rates| rates.closing),
    },
    Gauge {
        name: "sustainable_per_second",
        help: "Connections that the ports can sustain.",
        value: |_, prospect| Some(prospect.sustainable),
    },
    Gauge {
        name: "empty_in_seconds",
        help: "Until no port is left at these rates; absent while ports last for ten minutes.",
        value: |_, prospect| match prospect.forecast {
            Some(Forecast::Empty { seconds, .. }) => Some(seconds),
            _ => None,
        },
    },
];

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, help: &str) {
        let help = help.replace('\\', "\\\\");
        let lines = format!("# HELP portsim_{name} {help}\n# TYPE portsim_{name} gauge\n");
        self.text.push_str(&lines);
    }

    fn gauge(&mut self, name: &str, help: &str, value: u32) {
        self.family(name, help);
        self.sample(name, &[], value.into());
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        writeln!(self.text, "portsim_{name}{labels} {value}").expect("a string takes all");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::fixtures::{inspected, time_waits};

    #[test]
    fn every_sample_belongs_to_a_family_that_was_announced() {
        let page = page(&inspected(&time_waits(40, 10)), 10);
        let mut family = "";
        for line in page.lines() {
            if let Some(announced) = line.strip_prefix("# TYPE ") {
                family = announced.strip_suffix(" gauge").unwrap();
            } else if !line.starts_with('#') {
                let name = line.split(['{', ' ']).next().unwrap();
                assert_eq!(name, family, "{line}");
                let value = line.rsplit(' ').next().unwrap();
                assert!(value.parse::<f64>().unwrap().is_finite(), "{line}");
            }
        }
        let left = "portsim_ports_left{source=\"10.0.0.1\",destination=\"10.0.0.5:443\"} 600\n";
        assert!(page.contains(left), "{page}");
        assert!(page.contains("portsim_sockets{state=\"TIME-WAIT\"} 400\n"));
        assert!(page.contains("portsim_empty_in_seconds{"));
    }

    #[test]
    fn the_number_of_series_has_a_bound() {
        let page = page(&inspected(&time_waits(40, 10)), 0);
        assert!(!page.contains("portsim_ports_left{"));
        assert!(
            page.contains("portsim_destinations 1\n")
                && page.contains("portsim_destinations_told 0\n")
        );
    }
}
