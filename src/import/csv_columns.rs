//! Which column of a CSV says what.

use super::fields::Unit;

/// What a column can say, the names by which it is known, and what for; the first name is the one that
/// `--columns` has.
pub const FIELDS: [(&str, &[&str], &str); 9] = [
    (
        "start",
        &[
            "ts",
            "time",
            "timestamp",
            "start_time",
            "begin",
            "first",
            "opened",
            "opened_at",
            "started",
        ],
        "when it was opened: seconds since 1970, or RFC 3339",
    ),
    (
        "stop",
        &["end_time", "finish", "finished", "last", "closed", "closed_at", "stopped", "stop_time"],
        "when it was closed, likewise",
    ),
    (
        "duration",
        &["secs", "seconds", "lifetime", "life", "elapsed", "dur"],
        "how long it lasted: seconds, or with a unit",
    ),
    (
        "source",
        &[
            "src",
            "src_ip",
            "source_ip",
            "srcaddr",
            "src_addr",
            "saddr",
            "client",
            "client_ip",
            "local",
            "id.orig_h",
        ],
        "address that opened it, with its port or without",
    ),
    (
        "source_port",
        &["sport", "src_port", "srcport", "client_port", "local_port", "spt", "id.orig_p"],
        "its port",
    ),
    (
        "destination",
        &[
            "dst",
            "dest",
            "dst_ip",
            "dest_ip",
            "destination_ip",
            "dstaddr",
            "dst_addr",
            "daddr",
            "server",
            "server_ip",
            "remote",
            "id.resp_h",
        ],
        "address that it was opened to, with its port or without",
    ),
    (
        "destination_port",
        &[
            "dport",
            "dst_port",
            "dstport",
            "dest_port",
            "server_port",
            "remote_port",
            "port",
            "dpt",
            "id.resp_p",
        ],
        "its port",
    ),
    (
        "end",
        &["close", "closes", "closed_by", "how", "ending"],
        "how it ended: client, server, reset, half, unanswered, open or unknown",
    ),
    ("protocol", &["proto"], "only `tcp` and 6 count"),
];

/// Places in [`FIELDS`].
pub(super) const START: usize = 0;
pub(super) const STOP: usize = 1;
pub(super) const DURATION: usize = 2;
pub(super) const SOURCE: usize = 3;
pub(super) const SOURCE_PORT: usize = 4;
pub(super) const DESTINATION: usize = 5;
pub(super) const DESTINATION_PORT: usize = 6;
pub(super) const END: usize = 7;
pub(super) const PROTOCOL: usize = 8;

/// One entry of `--columns`: `start=ts:ms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedColumn {
    field: usize,
    name: String,
    unit: Option<Unit>,
}

/// What `--columns` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns(Vec<NamedColumn>);

impl Columns {
    /// Is anything said?
    #[must_use]
    pub fn are_given(&self) -> bool {
        !self.0.is_empty()
    }
}

impl std::str::FromStr for Columns {
    type Err = String;

    /// `start=ts:ms,source=client_ip,...`
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let columns: Vec<NamedColumn> = parts.map(column).collect::<Result<_, _>>()?;
        for (index, column) in columns.iter().enumerate() {
            if columns[..index].iter().any(|other| other.field == column.field) {
                return Err(format!("`{}` is given twice", FIELDS[column.field].0));
            }
        }
        if columns.is_empty() { Err("no column is named".to_owned()) } else { Ok(Self(columns)) }
    }
}

fn column(part: &str) -> Result<NamedColumn, String> {
    let example = "write FIELD=COLUMN, for example start=ts:ms,source=client_ip";
    let (field, name) = part.split_once('=').ok_or(example)?;
    let (field, name) = (field.trim(), name.trim());
    let Some(number) = FIELDS.iter().position(|(known, ..)| *known == field) else {
        let known: Vec<&str> = FIELDS.iter().map(|(name, ..)| *name).collect();
        let near = nearest(field, known.iter().copied());
        let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        return Err(format!("there is no field `{field}`{hint} (there are {})", known.join(", ")));
    };
    let (name, unit) = match name.rsplit_once(':') {
        Some((name, "s")) => (name, Some(Unit::Seconds)),
        Some((name, "ms")) => (name, Some(Unit::Millis)),
        Some((name, "us")) => (name, Some(Unit::Micros)),
        Some((name, "ns")) => (name, Some(Unit::Nanos)),
        _ => (name, None),
    };
    if unit.is_some() && ![START, STOP, DURATION].contains(&number) {
        return Err(format!("`{field}` is no time and has no unit"));
    }
    if name.is_empty() {
        return Err(example.to_owned());
    }
    Ok(NamedColumn { field: number, name: name.to_owned(), unit })
}

/// The likeliest of `known`, if any is likely.
fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (strsim::jaro_winkler(&word.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Which column has which field: index of the column, and the unit of its plain numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub columns: [Option<usize>; FIELDS.len()],
    pub units: [Unit; FIELDS.len()],
}

impl Layout {
    /// From the names of a header.
    pub fn of(header: &[String], columns: &Columns) -> Result<Self, String> {
        let mut layout =
            Self { columns: [None; FIELDS.len()], units: [Unit::Seconds; FIELDS.len()] };
        let place = |name: &str| header.iter().position(|other| other.eq_ignore_ascii_case(name));
        for column in &columns.0 {
            let Some(at) = place(&column.name) else {
                let near = nearest(&column.name, header.iter().map(String::as_str));
                let hint =
                    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                return Err(format!(
                    "there is no column `{}`{hint} (there are {})",
                    column.name,
                    header.join(", ")
                ));
            };
            layout.columns[column.field] = Some(at);
            layout.units[column.field] = column.unit.unwrap_or(Unit::Seconds);
        }
        let named = layout.columns;
        for (field, (name, others, _)) in FIELDS.iter().enumerate() {
            if layout.columns[field].is_none() {
                let mut names = std::iter::once(name).chain(*others);
                layout.columns[field] =
                    names.find_map(|name| place(name).filter(|at| !named.contains(&Some(*at))));
            }
        }
        layout.check(header)?;
        Ok(layout)
    }

    /// What nothing can be counted without.
    fn check(&self, header: &[String]) -> Result<(), String> {
        let needed = [START, SOURCE, DESTINATION];
        let missing: Vec<&str> = needed
            .iter()
            .filter(|field| self.columns[**field].is_none())
            .map(|field| FIELDS[*field].0)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let first = missing[0];
        Err(format!(
            "no column is known to be {}: name it with --columns {first}=COLUMN (there are {})",
            missing.join(" or "),
            header.join(", ")
        ))
    }
}

/// What separates the columns of a header.
pub(super) fn delimiter(header: &str) -> u8 {
    let count = |byte: u8| header.bytes().filter(|other| *other == byte).count();
    // The first of those that are there most often.
    [b',', b'\t', b';', b'|'].into_iter().rev().max_by_key(|byte| count(*byte)).unwrap_or(b',')
}

/// The fields of a row or a header.
pub(super) fn cells(line: &str, delimiter: u8) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(line.as_bytes());
    let mut record = csv::StringRecord::new();
    match reader.read_record(&mut record) {
        Ok(true) => record.iter().map(|cell| cell.trim().to_owned()).collect(),
        _ => Vec::new(),
    }
}

/// Does this line look like a header with columns that are known?
pub(super) fn is_header(line: &str) -> bool {
    let cells = cells(line, delimiter(line));
    let known = |cell: &&String| {
        let is = |name: &str| name.eq_ignore_ascii_case(cell);
        FIELDS.iter().any(|(name, others, _)| is(name) || others.iter().any(|other| is(other)))
    };
    cells.len() >= 2 && cells.iter().filter(known).count() >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Vec<String> {
        cells(text, delimiter(text))
    }

    #[test]
    fn usual_names_are_known() {
        let layout =
            Layout::of(&header("ts,SRC,sport,dst,dport,duration,end"), &Columns::default());
        let columns = layout.unwrap().columns;
        let meant = [Some(0), None, Some(5), Some(1), Some(2), Some(3), Some(4), Some(6), None];
        assert_eq!(columns, meant);
    }

    #[test]
    fn columns_can_be_named_with_their_units() {
        let columns: Columns = "start=begun:ms, source=who,destination=whom".parse().unwrap();
        let layout = Layout::of(&header("who;whom;begun;port"), &columns).unwrap();
        assert_eq!(layout.columns[START], Some(2));
        assert_eq!((layout.units[START], layout.units[DURATION]), (Unit::Millis, Unit::Seconds));
        assert_eq!(layout.columns[DESTINATION_PORT], Some(3));
    }

    #[test]
    fn a_column_that_is_not_there_is_told_with_the_nearest() {
        let columns: Columns = "start=begn".parse().unwrap();
        let told = Layout::of(&header("begin,src,dst"), &columns).unwrap_err();
        assert!(told.contains("no column `begn`; did you mean `begin`?"), "{told}");
        let told = Layout::of(&header("begin,src"), &Columns::default()).unwrap_err();
        assert!(told.contains("--columns destination=COLUMN"), "{told}");
    }

    #[test]
    fn a_map_that_is_none_is_told() {
        for (wrong, told) in [
            ("start", "write FIELD=COLUMN"),
            ("strat=ts", "did you mean `start`?"),
            ("source=a:ms", "is no time"),
            ("start=a,start=b", "given twice"),
            ("", "no column"),
        ] {
            let error = wrong.parse::<Columns>().unwrap_err();
            assert!(error.contains(told), "{wrong}: {error}");
        }
    }

    #[test]
    fn quotes_and_delimiters_are_read() {
        assert_eq!(cells("a,\"b,c\", d", b','), ["a", "b,c", "d"]);
        assert_eq!(delimiter("a;b;c"), b';');
        assert_eq!(delimiter("a\tb"), b'\t');
    }
}
