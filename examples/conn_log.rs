//! Makes a record of known law, of any length, for measuring and testing `portsim import`.
//!
//! ```sh
//! cargo run --release --example conn_log -- zeek 10000000 > /tmp/conn.log
//! ```
//!
//! 1,000 connections a second from four addresses to 2,000 destinations, a few of them much busier than
//! the others; exponential lifetimes of 200 ms; 70 % are closed by the client, 25 % by the server, 5 %
//! reset. Rows come in the order in which connections end, as Zeek writes them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, BufWriter, Write};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

const RATE: f64 = 1_000.0;
const MEAN_S: f64 = 0.2;
const DESTINATIONS: u64 = 2_000;

fn main() -> io::Result<()> {
    let mut words = std::env::args().skip(1);
    let format = words.next().unwrap_or_else(|| "zeek".to_owned());
    let rows: u64 = words.next().and_then(|rows| rows.parse().ok()).unwrap_or(1_000);
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let line: fn(&mut dyn Write, &Row) -> io::Result<()> = match format.as_str() {
        "zeek" => zeek,
        "json" => json,
        "csv" => csv,
        other => {
            eprintln!("{other}: write zeek, json or csv, and how many rows");
            std::process::exit(2);
        }
    };
    match format.as_str() {
        "zeek" => out.write_all(ZEEK.as_bytes())?,
        "csv" => out.write_all(b"start,duration,src,sport,dst,dport,end\n")?,
        _ => {}
    }
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut open: BinaryHeap<Reverse<(u64, u64)>> = BinaryHeap::new();
    let mut waiting: Vec<Option<Row>> = Vec::new();
    let mut now = 1_763_980_930.0;
    for number in 0..rows {
        now += exponential(&mut rng) / RATE;
        while let Some(Reverse((end, index))) =
            open.peek().copied().filter(|top| top.0.0 <= micros(now))
        {
            open.pop();
            let row = waiting[(index % (1 << 16)) as usize].take().expect("it was put there");
            debug_assert!(end >= micros(row.start));
            line(&mut out, &row)?;
        }
        let row = Row::draw(&mut rng, number, now);
        open.push(Reverse((micros(now + row.duration), number)));
        let place = (number % (1 << 16)) as usize;
        waiting.resize_with(waiting.len().max(place + 1), || None);
        waiting[place] = Some(row);
    }
    while let Some(Reverse((_, index))) = open.pop() {
        let row = waiting[(index % (1 << 16)) as usize].take().expect("it was put there");
        line(&mut out, &row)?;
    }
    out.flush()
}

fn micros(seconds: f64) -> u64 {
    (seconds * 1e6) as u64
}

fn unit(rng: &mut Xoshiro256PlusPlus) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn exponential(rng: &mut Xoshiro256PlusPlus) -> f64 {
    -(1.0 - unit(rng)).ln()
}

struct Row {
    number: u64,
    start: f64,
    duration: f64,
    source: u64,
    port: u64,
    destination: u64,
    end: usize,
}

impl Row {
    fn draw(rng: &mut Xoshiro256PlusPlus, number: u64, start: f64) -> Self {
        // Squaring makes the first destinations busier: the first has 2.2 % of all.
        let destination = (unit(rng).powi(2) * DESTINATIONS as f64) as u64;
        let end = match unit(rng) {
            share if share < 0.70 => 0,
            share if share < 0.95 => 1,
            _ => 2,
        };
        Self {
            number,
            start,
            duration: exponential(rng) * MEAN_S,
            source: rng.next_u64() % 4,
            port: 32_768 + rng.next_u64() % 28_232,
            destination,
            end,
        }
    }

    fn server(&self) -> String {
        format!("10.1.{}.{}", self.destination / 250, self.destination % 250 + 1)
    }
}

const ZEEK: &str = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
    #open\t2026-11-24-10-42-10\n\
    #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\t\
    resp_bytes\tconn_state\tlocal_orig\tlocal_resp\tmissed_bytes\thistory\torig_pkts\torig_ip_bytes\t\
    resp_pkts\tresp_ip_bytes\ttunnel_parents\n\
    #types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tbool\tbool\t\
    count\tstring\tcount\tcount\tcount\tcount\tset[string]\n";

fn zeek(out: &mut dyn Write, row: &Row) -> io::Result<()> {
    let (state, history) = [("SF", "ShADadFf"), ("SF", "ShADadfF"), ("RSTO", "ShADadR")][row.end];
    writeln!(
        out,
        "{:.6}\tC{:017x}\t10.0.0.{}\t{}\t{}\t443\ttcp\tssl\t{:.6}\t517\t4096\t{state}\tT\tF\t0\t{history}\t\
         9\t1009\t8\t4520\t-",
        row.start,
        row.number,
        row.source + 1,
        row.port,
        row.server(),
        row.duration
    )
}

fn json(out: &mut dyn Write, row: &Row) -> io::Result<()> {
    let (state, history) = [("SF", "ShADadFf"), ("SF", "ShADadfF"), ("RSTO", "ShADadR")][row.end];
    writeln!(
        out,
        "{{\"ts\":{:.6},\"uid\":\"C{:017x}\",\"id.orig_h\":\"10.0.0.{}\",\"id.orig_p\":{},\
         \"id.resp_h\":\"{}\",\"id.resp_p\":443,\"proto\":\"tcp\",\"service\":\"ssl\",\"duration\":{:.6},\
         \"orig_bytes\":517,\"resp_bytes\":4096,\"conn_state\":\"{state}\",\"missed_bytes\":0,\
         \"history\":\"{history}\",\"orig_pkts\":9,\"resp_pkts\":8}}",
        row.start,
        row.number,
        row.source + 1,
        row.port,
        row.server(),
        row.duration
    )
}

fn csv(out: &mut dyn Write, row: &Row) -> io::Result<()> {
    writeln!(
        out,
        "{:.6},{:.6},10.0.0.{},{},{},443,{}",
        row.start,
        row.duration,
        row.source + 1,
        row.port,
        row.server(),
        ["client", "server", "reset"][row.end]
    )
}
