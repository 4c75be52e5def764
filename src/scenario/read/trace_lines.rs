//! The lines of a file of attempts, one after the other, as attempts.

use std::io::{self, BufRead, Read as _};
use std::ops::Range;

use crate::model::{Destination, Ending, EndpointPick, TraceAttempt, below, mix};
use crate::scenario::keys::{ENDINGS, ending};
use crate::scenario::text::problem::Problem;
use crate::scenario::text::quantity;
use crate::scenario::text::scan::Wrong;
use crate::scenario::text::source::Span;
use crate::scenario::text::suggest::{instead, shown};
use crate::scenario::text::walk::Walk;
use crate::units::{SimDuration, SimTime};

pub(crate) const HELP: &str = "file = \"attempts.csv\": a line `time,destination,lifetime,close,address`, then one \
                    for each attempt; all but `time` may be left out; of requests `service` instead of `lifetime`, and \
                    in a trace-loop `think`";

/// A destination that a record may name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way<'a> {
    pub name: &'a str,
    pub endpoints: u32,
    pub pick: EndpointPick,
}

impl<'a> Way<'a> {
    pub fn to(destination: &'a Destination) -> Self {
        let Destination { name, endpoints, pick, .. } = destination;
        Self { name, endpoints: *endpoints, pick: *pick }
    }
}

/// Most attempts of one file: 2 GB of memory, and twice that while it is read.
const MOST_ATTEMPTS: usize = 50_000_000;
/// Longest line that is read, in bytes.
const LONGEST_LINE: u64 = 64 << 10;
/// So many wrong lines of one file are reported, and the rest is not read.
const MOST_REPORTED: usize = 5;
/// Longest time after the start of the run: what a scenario may name at most.
const LONGEST_S: f64 = 10.0 * 365.25 * 86_400.0;

/// What a column of the file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Time,
    Destination,
    Lifetime,
    Close,
    Address,
    Think,
}

const COLUMNS: [(&str, Column); 8] = [
    ("time", Column::Time),
    ("destination", Column::Destination),
    ("lifetime", Column::Lifetime),
    ("close", Column::Close),
    ("address", Column::Address),
    ("think", Column::Think),
    ("service", Column::Lifetime),
    ("life", Column::Lifetime),
];

/// Short words for endings, beside those of `closes`.
const SHORT: [(&str, Ending); 2] = [("rst", Ending::Reset), ("rst_server", Ending::ServerReset)];

/// Reads the lines of one file.
pub(crate) struct Lines<'a> {
    walk: &'a Walk,
    origin: &'a str,
    ways: &'a [Way<'a>],
    /// Source addresses of the host; `None` where these are not known.
    addresses: Option<u32>,
    columns: Vec<Column>,
    /// Connections so far to each destination whose endpoints were not recorded.
    turns: Vec<u32>,
    number: usize,
    /// May the times be missing?
    timeless: bool,
    /// How long a worker thinks after each, where that was recorded.
    pub thinks: Vec<SimDuration>,
    /// What was read.
    pub attempts: Vec<TraceAttempt>,
    /// How many lines were wrong.
    pub wrong: usize,
}

impl<'a> Lines<'a> {
    pub fn new(
        walk: &'a Walk,
        origin: &'a str,
        ways: &'a [Way<'a>],
        addresses: Option<u32>,
        timeless: bool,
    ) -> Self {
        let (columns, attempts, thinks) = (Vec::new(), Vec::new(), Vec::new());
        let (turns, number, wrong) = (vec![0; ways.len()], 0, 0);
        Self {
            walk,
            origin,
            ways,
            addresses,
            columns,
            turns,
            number,
            timeless,
            thinks,
            attempts,
            wrong,
        }
    }

    /// Reads `input` to its end, or until too many lines are wrong.
    pub fn read_all(&mut self, mut input: impl BufRead) -> io::Result<()> {
        let mut bytes = Vec::new();
        while self.wrong < MOST_REPORTED {
            bytes.clear();
            if input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes)? == 0 {
                return Ok(());
            }
            self.number += 1;
            if bytes.len() as u64 == LONGEST_LINE && !bytes.ends_with(b"\n") {
                let (message, label) = ("this line is longer than 64 KiB", "is this a CSV file?");
                self.report("", wrong(0..0, message, label, HELP));
                return Ok(());
            }
            let Ok(line) = std::str::from_utf8(&bytes) else {
                let line = String::from_utf8_lossy(&bytes).into_owned();
                self.report(&line, wrong(0..0, "this line is not UTF-8 text", "", HELP));
                return Ok(());
            };
            self.line(if self.number == 1 { line.trim_start_matches('\u{feff}') } else { line });
        }
        Ok(())
    }

    fn line(&mut self, line: &str) {
        let line = line.trim_end();
        if line.trim_start().is_empty() || line.trim_start().starts_with('#') {
            return;
        }
        let read = match self.columns.is_empty() {
            true => self.header(line),
            false => self.attempt(line),
        };
        if let Err(wrong) = read {
            self.report(line, wrong);
        }
    }

    fn header(&mut self, line: &str) -> Result<(), Wrong> {
        let mut columns = Vec::new();
        for (range, name) in cells(line) {
            let plain = name.to_lowercase();
            let found = COLUMNS.iter().find(|(known, _)| *known == plain);
            let Some((_, column)) = found else {
                let names = COLUMNS.map(|(name, _)| name);
                let message = format!("there is no column `{}`", shown(name));
                let help = format!("{}; {HELP}", instead(name, &names[..7], "column"));
                // Later lines would be read by columns that are not known.
                self.wrong = MOST_REPORTED;
                return Err(wrong(range, &message, "not known", &help));
            };
            if columns.contains(column) {
                self.wrong = MOST_REPORTED;
                return Err(wrong(range, "this column is there twice", "the second one", HELP));
            }
            columns.push(*column);
        }
        if !self.timeless && !columns.contains(&Column::Time) {
            self.wrong = MOST_REPORTED;
            return Err(wrong(0..line.len(), "there is no column `time`", "the header", HELP));
        }
        self.columns = columns;
        Ok(())
    }

    fn attempt(&mut self, line: &str) -> Result<(), Wrong> {
        let at = SimTime::START;
        let mut attempt = TraceAttempt { at, lifetime: None, to: None, source: None, ending: None };
        let (mut count, mut think) = (0, SimDuration::ZERO);
        for (range, cell) in cells(line) {
            let Some(column) = self.columns.get(count) else {
                let message = format!("there are more than {} columns", self.columns.len());
                let help = "write as many cells as the header has columns";
                return Err(wrong(range, &message, "one too many", help));
            };
            count += 1;
            let moved = |wrong: Wrong| {
                let at = range.start + wrong.range.start..range.start + wrong.range.end;
                Wrong { range: at, ..wrong }
            };
            match column {
                Column::Time if self.timeless && cell.is_empty() => {}
                Column::Time => attempt.at = self.time(cell).map_err(moved)?,
                // An empty cell was not recorded.
                _ if cell.is_empty() => {}
                Column::Destination => attempt.to = Some(self.way(cell).map_err(moved)?),
                Column::Lifetime => attempt.lifetime = Some(span(cell).map_err(moved)?),
                Column::Close => attempt.ending = Some(close(cell).map_err(moved)?),
                Column::Think => think = span(cell).map_err(moved)?,
                Column::Address => attempt.source = Some(self.address(cell).map_err(moved)?),
            }
        }
        if count < self.columns.len() {
            let message = format!("there are {count} cells for {} columns", self.columns.len());
            let help = "leave a cell empty where nothing was recorded: 1.5,,0.2,client";
            return Err(wrong(0..line.len(), &message, "too few", help));
        }
        if self.attempts.len() == MOST_ATTEMPTS {
            self.wrong = MOST_REPORTED;
            let message = format!("there are more than {MOST_ATTEMPTS} attempts");
            let help = "simulate a few hours of the record at a time";
            return Err(wrong(0..line.len(), &message, "one too many", help));
        }
        self.attempts.push(attempt);
        if self.columns.contains(&Column::Think) {
            self.thinks.push(think);
        }
        Ok(())
    }

    fn time(&self, cell: &str) -> Result<SimTime, Wrong> {
        let at = SimTime::from_nanos(span(cell)?.as_nanos());
        match self.attempts.last() {
            Some(before) if at < before.at => {
                let message = format!("time goes back, from {} to {at}", before.at);
                let help = "sort the lines by their first column, the header aside: \
                            (head -n 1 a.csv; tail -n +2 a.csv | sort -t, -k1,1g) > sorted.csv";
                Err(wrong(0..cell.len(), &message, "before that of the attempt above", help))
            }
            _ => Ok(at),
        }
    }

    /// The number of a source address, counted from 1 as everywhere in a scenario.
    fn address(&self, cell: &str) -> Result<u32, Wrong> {
        let most = self.addresses.unwrap_or(u32::MAX);
        match cell.parse::<u32>() {
            Ok(number) if (1..=most).contains(&number) => Ok(number - 1),
            _ => {
                let message = format!("there is no source address number `{}`", shown(cell));
                let help = match most {
                    1 => "its host has one, number 1".to_owned(),
                    _ => format!("its host has those from 1 to {most}"),
                };
                Err(wrong(0..cell.len(), &message, "not known", &help))
            }
        }
    }

    /// `api`, `api/3`, or the number of an endpoint counted through all destinations.
    fn way(&mut self, cell: &str) -> Result<(u16, u32), Wrong> {
        if let Some(way) = self.ways.iter().position(|way| way.name == cell) {
            let endpoint = self.endpoint(way);
            return Ok((way as u16, endpoint));
        }
        if let Ok(number) = cell.parse::<u64>() {
            return self.numbered(cell, number);
        }
        let named = cell.rsplit_once('/').and_then(|(name, number)| {
            let way = self.ways.iter().position(|way| way.name == name)?;
            Some((way, name.len() + 1, number))
        });
        let Some((way, start, number)) = named else {
            let names: Vec<&str> = self.ways.iter().map(|way| way.name).collect();
            let message = format!("this client has no destination `{}`", shown(cell));
            let help = instead(cell, &names, "destination");
            return Err(wrong(0..cell.len(), &message, "not known", &help));
        };
        let endpoints = self.ways[way].endpoints;
        match number.parse() {
            Ok(endpoint) if endpoint < endpoints => Ok((way as u16, endpoint)),
            _ => {
                let name = shown(self.ways[way].name).into_owned();
                let message = format!("`{name}` has no endpoint `{}`", shown(number));
                let help = match endpoints {
                    1 => format!("its only one is {name}/0"),
                    _ => format!("its endpoints are {name}/0 to {name}/{}", endpoints - 1),
                };
                Err(wrong(start..cell.len(), &message, "not known", &help))
            }
        }
    }

    fn numbered(&self, cell: &str, number: u64) -> Result<(u16, u32), Wrong> {
        let mut rest = number;
        for (way, Way { endpoints, .. }) in self.ways.iter().enumerate() {
            match u32::try_from(rest) {
                Ok(endpoint) if endpoint < *endpoints => return Ok((way as u16, endpoint)),
                _ => rest -= u64::from(*endpoints),
            }
        }
        let all: u64 = self.ways.iter().map(|way| u64::from(way.endpoints)).sum();
        let message = format!("this client has no endpoint number {number}");
        let help = match all {
            1 => "it has one, number 0".to_owned(),
            _ => format!("it has {all}, numbered from 0 through its destinations in order"),
        };
        Err(wrong(0..cell.len(), &message, "not known", &help))
    }

    /// An endpoint of a destination of which only the name was recorded: drawn as the destination says,
    /// and the same in every run, as the rest of the record is.
    fn endpoint(&mut self, way: usize) -> u32 {
        let Way { endpoints, pick, .. } = self.ways[way];
        let turn = self.turns[way];
        self.turns[way] = turn.wrapping_add(1);
        match pick {
            EndpointPick::InTurn => turn % endpoints,
            EndpointPick::Random => below(endpoints, (mix(u64::from(turn)) >> 32) as u32),
        }
    }

    fn report(&mut self, line: &str, wrong: Wrong) {
        self.wrong += 1;
        let source = self.walk.add_line(self.origin, line, self.number);
        let mut problem = Problem::at(Span::new(source, wrong.range), wrong.message)
            .label(wrong.label)
            .help(wrong.help);
        if self.wrong == MOST_REPORTED {
            problem = problem.help("the lines below were not read");
        }
        self.walk.report(problem);
    }
}

/// The cells of a line and where they stand, without spaces and quotes around them.
fn cells(line: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut start = 0;
    line.split(',').map(move |written| {
        let begin = start;
        start += written.len() + 1;
        let quoted = written.trim();
        let bare = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let cell = bare.unwrap_or(quoted).trim();
        let begin = begin + (cell.as_ptr() as usize - written.as_ptr() as usize);
        (begin..begin + cell.len(), cell)
    })
}

/// A time in seconds, or with its unit.
fn span(cell: &str) -> Result<SimDuration, Wrong> {
    match cell.parse::<f64>() {
        Ok(seconds) if (0.0..=LONGEST_S).contains(&seconds) => {
            Ok(SimDuration::from_secs_f64(seconds))
        }
        Ok(seconds) if seconds > LONGEST_S => {
            let message = format!("`{}` seconds are longer than ten years", shown(cell));
            let help = "times count from the start of the run: subtract that of the first attempt";
            Err(wrong(0..cell.len(), &message, "too long", help))
        }
        _ => quantity::duration(cell),
    }
}

fn close(cell: &str) -> Result<Ending, Wrong> {
    let short = SHORT.iter().find(|(word, _)| word.eq_ignore_ascii_case(cell));
    if let Some(ending) = short.map(|(_, ending)| *ending).or_else(|| ending(cell)) {
        return Ok(ending);
    }
    let names: Vec<&str> = ENDINGS.iter().map(|(name, _)| *name).collect();
    let message = format!("`{}` is not a way to close", shown(cell));
    Err(wrong(0..cell.len(), &message, "not known", &instead(cell, &names, "way")))
}

fn wrong(range: Range<usize>, message: &str, label: &str, help: &str) -> Wrong {
    Wrong { range, message: message.to_owned(), label: label.to_owned(), help: help.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WAYS: [Way<'_>; 2] = [
        Way { name: "api", endpoints: 3, pick: EndpointPick::Random },
        Way { name: "a,µ", endpoints: 1, pick: EndpointPick::InTurn },
    ];

    /// Reads `text` and shows what is wrong with it.
    fn survive(text: &[u8]) {
        let walk = Walk::default();
        let mut lines = Lines::new(&walk, "x.csv", &WAYS, Some(2), false);
        lines.read_all(text).expect("a text in memory can be read");
        let (wrong, attempts) = (lines.wrong, lines.attempts.len());
        let (sources, problems, _) = walk.finish();
        assert_eq!(problems.is_empty(), wrong == 0, "{attempts} attempts");
        for at in problems.iter().filter_map(|problem| problem.at) {
            assert!(sources[at.source].text.get(at.range()).is_some(), "{at:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            survive(&bytes);
        }

        #[test]
        fn no_cells_make_it_panic(cells in "([0-9.,\"#/ µ-]|api|a,µ|rst|ms|\n){0,40}") {
            survive(format!("time,destination,life,close,address\n{cells}").as_bytes());
        }
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        survive("1".repeat(200_000).as_bytes());
        survive(format!("time\n{}", "µ".repeat(200_000)).as_bytes());
    }
}
