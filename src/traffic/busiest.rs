//! Which destinations deserve a line of their own, and what becomes of the rest.

use std::collections::BTreeMap;

use super::{FlowSurvey, HostSurvey, Limits};

/// Destinations of a host that are told apart.
const TOLD_APART: usize = 20;

/// One flow as the scenario has it, and what it costs.
#[derive(Clone, Debug)]
pub(super) struct ScenarioFlow {
    /// What was seen, of one destination or of several.
    pub flow: FlowSurvey,
    /// Connections a second that were answered.
    pub rate: f64,
    /// Attempts a second that were not.
    pub unanswered_rate: f64,
    /// Ports that it holds on average.
    pub ports: f64,
}

impl ScenarioFlow {
    fn new(flow: FlowSurvey, seconds: f64, limits: &Limits) -> Self {
        let unanswered = flow.ends.unanswered.min(flow.opened);
        let rate = (flow.opened - unanswered) as f64 / seconds;
        let unanswered_rate = unanswered as f64 / seconds;
        let life = flow.lifetimes.mean().unwrap_or_default().as_secs_f64();
        let after = |end| limits.held_after(end, flow.loopback).as_secs_f64();
        let ends = flow.ends.shares().map(|(end, share)| share * after(end));
        let hold = life + ends.sum::<f64>();
        let silent = unanswered_rate * limits.syn_sent.as_secs_f64();
        let ports = rate * hold + silent + flow.standing as f64;
        Self { flow, rate, unanswered_rate, ports }
    }

    /// Does it say anything that a scenario could have?
    fn is_something(&self) -> bool {
        self.flow.opened > 0 || self.flow.standing > 0
    }
}

/// The flows of `host`: the busiest one by one, busiest first, and one for the rest of each source.
pub(super) fn busiest(host: &HostSurvey, seconds: f64, limits: &Limits) -> Vec<ScenarioFlow> {
    let mut parts: Vec<ScenarioFlow> = together(&host.flows)
        .into_iter()
        .map(|flow| ScenarioFlow::new(flow, seconds, limits))
        .filter(ScenarioFlow::is_something)
        .collect();
    parts.sort_by(|a, b| {
        let sums = |part: &ScenarioFlow| part.flow.endpoints > 1;
        let order = sums(a).cmp(&sums(b)).then(b.ports.total_cmp(&a.ports));
        order.then_with(|| a.flow.destination.cmp(&b.flow.destination))
    });
    let apart = parts.iter().take_while(|part| part.flow.endpoints == 1).count();
    // One that is left alone is not worth a sum.
    let apart = if apart == TOLD_APART + 1 { apart } else { apart.min(TOLD_APART) };
    let rest = parts.split_off(apart);
    let mut sums: BTreeMap<_, FlowSurvey> = BTreeMap::new();
    for part in rest {
        let key = (part.flow.source, part.flow.loopback);
        match sums.get_mut(&key) {
            Some(sum) => sum.merge(&part.flow),
            None => drop(sums.insert(key, part.flow)),
        }
    }
    parts.extend(sums.into_values().map(|flow| ScenarioFlow::new(flow, seconds, limits)));
    parts
}

/// Flows of one source and destination that were told twice are one.
fn together(flows: &[FlowSurvey]) -> Vec<FlowSurvey> {
    let mut merged: BTreeMap<_, FlowSurvey> = BTreeMap::new();
    for flow in flows {
        let key = (flow.source, flow.destination, flow.endpoints > 1, flow.loopback);
        match merged.get_mut(&key) {
            Some(same) => same.merge(flow),
            None => drop(merged.insert(key, flow.clone())),
        }
    }
    merged.into_values().collect()
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};
    use std::time::Duration;

    use super::*;

    fn flow(port: u16, opened: u64) -> FlowSurvey {
        let there = SocketAddr::from((Ipv4Addr::new(10, 0, 0, 5), port));
        let mut flow = FlowSurvey::new(IpAddr::from([10, 0, 0, 1]), there);
        flow.opened = opened;
        flow.lifetimes.record(Duration::from_secs(1));
        flow
    }

    #[test]
    fn the_rest_is_summed_and_nothing_is_lost() {
        let flows: Vec<FlowSurvey> = (1..=30).map(|port| flow(port, u64::from(port))).collect();
        let host = HostSurvey { flows, ..HostSurvey::default() };
        let limits = Limits::of("linux", &[]).unwrap();
        let parts = busiest(&host, 10.0, &limits);
        assert_eq!(parts.len(), TOLD_APART + 1);
        assert_eq!(parts[0].flow.destination.port(), 30);
        assert!((parts[0].ports - 3.0 * 62.024).abs() < 1e-9, "{}", parts[0].ports);
        let rest = &parts[TOLD_APART].flow;
        assert_eq!((rest.endpoints, rest.opened), (10, 55));
        assert_eq!(parts.iter().map(|part| part.flow.opened).sum::<u64>(), 465);
    }

    #[test]
    fn what_was_told_twice_is_one() {
        let host = HostSurvey { flows: vec![flow(443, 2), flow(443, 3)], ..HostSurvey::default() };
        let parts = busiest(&host, 1.0, &Limits::of("linux", &[]).unwrap());
        assert_eq!((parts.len(), parts[0].flow.opened, parts[0].flow.endpoints), (1, 5, 1));
    }
}
