//! Connections a second of the whole engine, all statistics on, beside a straightforward simulator.
//!
//! One thread; ratios between two lines of one run mean something, absolute times depend on the
//! machine and its neighbours. `cargo bench --bench engine`.

mod workloads;
mod yardstick;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use portsim::model::World;
use portsim::replicate::{Unwatched, replicate};

fn attempts(world: &World, secs: u64) -> u64 {
    replicate(world, &workloads::settings(secs), &Unwatched).expect("not stopped").whole.attempts
}

/// How many attempts a second does one thread get through, on one host?
fn one_host(c: &mut Criterion) {
    const SECS: u64 = 2_000;
    let mut group = c.benchmark_group("one host");
    group.sample_size(20);
    for (name, world, rate) in [
        ("W1 blocks a tenth", workloads::w1(), 300.0),
        ("W2 never full", workloads::w2(), 250.0),
        ("overload 11 times", workloads::overload(), 3_000.0),
    ] {
        group.throughput(Throughput::Elements(attempts(&world, SECS)));
        group.bench_function(BenchmarkId::new("portsim", name), |b| {
            b.iter(|| attempts(&world, SECS));
        });
        group.bench_function(BenchmarkId::new("one binary heap", name), |b| {
            b.iter(|| yardstick::run(16_384, rate, 1.0, SECS as f64, 1));
        });
    }
    group.finish();
}

/// What does a machine cost whose sockets share ports, so that connections have to be followed?
fn shared_ports(c: &mut Criterion) {
    const SECS: u64 = 2_000;
    let mut group = c.benchmark_group("sockets that share ports");
    group.sample_size(20);
    for (name, world) in [("capped", workloads::capped()), ("mixed", workloads::mixed())] {
        group.throughput(Throughput::Elements(attempts(&world, SECS)));
        group.bench_function(name, |b| b.iter(|| attempts(&world, SECS)));
    }
    group.finish();
}

/// What does a request cost over connections that are kept, and with a pool too small for it?
fn requests(c: &mut Criterion) {
    const SECS: u64 = 500;
    let mut group = c.benchmark_group("requests over a pool");
    group.sample_size(20);
    for (name, world) in
        [("all kept", workloads::requests(1_000)), ("2 kept", workloads::requests(2))]
    {
        let made = |world: &World| {
            let outcome = replicate(world, &workloads::settings(SECS), &Unwatched);
            outcome.expect("not stopped").whole.requests.expect("it makes requests").made
        };
        group.throughput(Throughput::Elements(made(&world)));
        group.bench_function(name, |b| b.iter(|| made(&world)));
    }
    group.finish();
}

/// What does an attempt cost whose refusals are tried again?
fn retries(c: &mut Criterion) {
    const SECS: u64 = 1_000;
    let mut group = c.benchmark_group("attempts that are tried again");
    group.sample_size(20);
    let world = workloads::retries();
    group.throughput(Throughput::Elements(attempts(&world, SECS)));
    group.bench_function("three times", |b| b.iter(|| attempts(&world, SECS)));
    group.finish();
}

/// What do many hosts with many destinations cost, one after the other?
fn many_hosts(c: &mut Criterion) {
    const SECS: u64 = 120;
    let world = workloads::w3(1_000);
    let mut group = c.benchmark_group("1,000 hosts, 100 destinations each");
    group.sample_size(10);
    group.throughput(Throughput::Elements(attempts(&world, SECS)));
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("threads can be started");
        group.bench_function(BenchmarkId::new("threads", threads), |b| {
            b.iter(|| pool.install(|| attempts(&world, SECS)));
        });
    }
    group.finish();
}

criterion_group!(benches, one_host, shared_ports, requests, retries, many_hosts);
criterion_main!(benches);
