//! Tables for a terminal: as wide as it is, and lists where it is too narrow for a table.

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use portsim::numbers::{percent, span};
use portsim::report::sheet::{Column, NONE, Sheet};
use portsim::report::{Checked, Verdict};
use portsim::scenario::Scenario;
use portsim::stats::Outcome;

use super::terminal::tame;

/// A rule under the header, no other lines: easy on the eye and to cut and paste.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('-'));
/// What a row of words has where there is nothing to say.
const NOTHING: &str = "-";
/// Blanks that comfy-table puts around each cell.
pub(super) const PADDING: usize = 2;

/// A sheet as one or more tables, none wider than `width`.
pub fn of_sheet(sheet: &Sheet, width: usize) -> String {
    let mut parts = Vec::new();
    let mut rest = &sheet.columns[..];
    while !rest.is_empty() {
        let taken = fitting(sheet, rest, width);
        let (now, later) = rest.split_at(taken.max(1));
        parts.push(if taken == 0 { list(sheet, &now[0]) } else { table(sheet, now) });
        rest = later;
    }
    parts.join("\n")
}

/// How many of `columns` fit beside the labels.
fn fitting(sheet: &Sheet, columns: &[Column], width: usize) -> usize {
    let mut used = widest(sheet.labels.iter().map(String::as_str)) + PADDING;
    let mut fits = 0;
    for column in columns {
        let cells = column.cells.iter().map(String::as_str);
        used += widest(cells.chain([column.title.as_str()])) + PADDING;
        if used > width {
            break;
        }
        fits += 1;
    }
    fits
}

pub(super) fn widest<'a>(cells: impl Iterator<Item = &'a str>) -> usize {
    cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
}

fn table(sheet: &Sheet, columns: &[Column]) -> String {
    let titles = columns.iter().map(|column| tame(&column.title));
    let mut table = plain(std::iter::once(String::new()).chain(titles).collect());
    for (row, label) in sheet.labels.iter().enumerate() {
        let cells: Vec<&str> = columns.iter().map(|column| column.cells[row].as_str()).collect();
        if cells.iter().any(|cell| *cell != NONE) {
            table.add_row(std::iter::once(tame(label).as_str()).chain(cells));
        }
    }
    finish(table)
}

/// `label: figure`, a line each.
fn list(sheet: &Sheet, column: &Column) -> String {
    let mut text = format!("{}\n", tame(&column.title));
    for (label, cell) in sheet.labels.iter().zip(&column.cells) {
        if cell != NONE {
            text.push_str(&format!("  {label}: {cell}\n"));
        }
    }
    text
}

/// Rows under a head, the first column words and the others figures; where that is wider than `width`, a
/// list for each row. Cells are shown tame.
pub fn of_rows(head: &[&str], rows: &[Vec<String>], width: usize) -> String {
    let mut table = plain(head.iter().map(|&title| title.to_owned()).collect());
    for row in rows {
        table.add_row(row.iter().map(|cell| tame(cell)));
    }
    let text = finish(table);
    if text.lines().all(|line| line.chars().count() <= width) {
        return text;
    }
    let mut text = String::new();
    for row in rows {
        let mut cells = head.iter().zip(row);
        if let Some((_, name)) = cells.next() {
            text.push_str(&format!("{}\n", tame(name)));
        }
        for (title, cell) in cells.filter(|(_, cell)| *cell != NOTHING) {
            let line = format!("  {title}: {}", tame(cell));
            text.push_str(&format!("{}\n", super::terminal::wrap(&line, width, 4)));
        }
    }
    text
}

/// Many scenarios, a row each.
pub fn of_scenarios(runs: &[(&Scenario, &Outcome, &[Checked])], width: usize) -> String {
    // Hosts share no port: what is told of several is told of the tightest.
    let several = runs.iter().any(|(_, outcome, _)| outcome.limits.len() > 1);
    let shown = |title: &str| several || title != TIGHTEST;
    let head = [SCENARIO, TIGHTEST, "runs dry", "refused", "peak", "used", "expected"];
    let titles = head.iter().filter(|title| shown(title)).map(|&title| title.to_owned());
    let mut table = plain(titles.collect());
    if several {
        let names = table.column_mut(1).expect("the second column is there");
        names.set_cell_alignment(CellAlignment::Left);
    }
    let mut text = String::new();
    for (scenario, outcome, checked) in runs {
        let cells = head.into_iter().zip(row(scenario, outcome, checked));
        let cells: Vec<(&str, String)> = cells.filter(|(title, _)| shown(title)).collect();
        for (title, cell) in &cells {
            match *title {
                SCENARIO => text.push_str(&format!("{cell}\n")),
                TIGHTEST if cell == NOTHING => {}
                title => text.push_str(&format!("  {title}: {cell}\n")),
            }
        }
        table.add_row(cells.into_iter().map(|(_, cell)| cell));
    }
    // Wrapped cells are still a table; below this they are a puzzle.
    if width < 60 {
        return text;
    }
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    finish(table)
}

/// Of incidents that really happened: what was reported, what came out, whether the one keeps to the other.
/// Nothing where there is none.
pub fn of_incidents(runs: &[(&Scenario, &Outcome, &[Checked])], width: usize) -> String {
    let mut text = String::new();
    for (scenario, _, checked) in runs {
        let Some(reported) = &scenario.reported else { continue };
        let simulated: Vec<String> = checked.iter().map(Checked::simulated).collect();
        let verdict = worst(checked);
        text += &format!("{}: {verdict}\n", tame(&scenario.name));
        for (what, said) in [("reported", reported.clone()), ("simulated", simulated.join("; "))] {
            text += &format!(
                "{}\n",
                super::terminal::wrap(&tame(&format!("  {what:<9}  {said}")), width, 13)
            );
        }
    }
    text
}

/// Titles that [`of_scenarios`] must know again.
const SCENARIO: &str = "scenario";
const TIGHTEST: &str = "tightest";

/// The figures of the host that decides; one cell for each title.
fn row(scenario: &Scenario, outcome: &Outcome, checked: &[Checked]) -> [String; 7] {
    let name = tame(&scenario.name);
    let Some(limit) = outcome.tightest() else {
        let mut cells = std::array::from_fn(|_| NOTHING.to_owned());
        cells[0] = name;
        return cells;
    };
    let figures = &limit.figures;
    let dry = match figures.first_blocked {
        Some(moments) => span(moments.median),
        None if outcome.whole.attempts == 0 => "idle".to_owned(),
        None => "never".to_owned(),
    };
    [
        name,
        if outcome.limits.len() > 1 { tame(&limit.name) } else { NOTHING.to_owned() },
        dry + if outcome.partial { " (partial)" } else { "" },
        percent(figures.blocking_ratio.mean),
        percent(outcome.fullest(limit).share),
        percent(figures.utilisation.mean),
        worst(checked),
    ]
}

/// The worst that is said of any expectation: `1 NOT held`, `2 inconclusive`, `held`, `-`.
fn worst(checked: &[Checked]) -> String {
    for verdict in [Verdict::Broken, Verdict::Inconclusive] {
        let many = checked.iter().filter(|one| one.verdict == verdict).count();
        if many > 0 {
            return format!("{many} {}", verdict.in_words());
        }
    }
    if checked.is_empty() { NOTHING.to_owned() } else { Verdict::Held.in_words().to_owned() }
}

/// A table whose first column is words and whose others are figures.
pub(super) fn plain(head: Vec<String>) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Disabled).set_header(head);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

pub(super) fn finish(table: Table) -> String {
    table.trim_fmt() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(columns: usize) -> Sheet {
        let column = |index: usize| Column {
            title: format!("host-{index} (host)"),
            cells: vec!["4,800,000".to_owned(), "33.02 % (32.94-33.10)".to_owned()],
        };
        Sheet {
            labels: ["attempts", "refused"].map(str::to_owned).to_vec(),
            columns: (0..columns).map(column).collect(),
        }
    }

    #[test]
    fn a_table_is_never_wider_than_the_terminal() {
        for width in [40, 60, 80, 132] {
            let text = of_sheet(&sheet(7), width);
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(longest <= width, "{longest} columns in {width}:\n{text}");
            assert_eq!(text.matches("4,800,000").count(), 7);
        }
    }

    #[test]
    fn a_terminal_too_narrow_for_a_table_gets_a_list() {
        let text = of_sheet(&sheet(1), 20);
        assert_eq!(
            text,
            "host-0 (host)\n  attempts: 4,800,000\n  refused: 33.02 % (32.94-33.10)\n"
        );
    }
}
