//! A table that leaves out what matters least when the terminal is narrow, and is a list when that is not
//! enough.

use comfy_table::CellAlignment;

use super::super::table::{PADDING, finish, plain, widest};

/// One column.
pub(super) struct TableColumn {
    pub title: String,
    /// Left out first when the table is too wide: noughts only, then the highest number. What has 0 stays.
    pub rank: u8,
    /// Words are put to the left, figures to the right.
    pub words: bool,
    /// One for each row.
    pub cells: Vec<String>,
}

impl TableColumn {
    pub(super) fn new(title: &str, rank: u8, cells: Vec<String>) -> Self {
        Self { title: title.to_owned(), rank, words: false, cells }
    }

    pub(super) fn words(title: &str, rank: u8, cells: Vec<String>) -> Self {
        Self { words: true, ..Self::new(title, rank, cells) }
    }

    fn width(&self) -> usize {
        widest(self.cells.iter().map(String::as_str).chain([self.title.as_str()])) + PADDING
    }
}

/// The columns as a table of at most `width`; a column whose cells are all empty is left out.
pub(super) fn table(mut columns: Vec<TableColumn>, width: usize) -> String {
    columns.retain(|column| column.cells.iter().any(|cell| !cell.is_empty()));
    for column in columns.iter_mut().filter(|column| column.rank > 0) {
        if column.cells.iter().all(|cell| cell == "0") {
            column.rank = u8::MAX;
        }
    }
    let all = columns.iter().map(TableColumn::width).sum::<usize>();
    let mut used = all;
    while used > width {
        let last = columns.iter().enumerate().max_by_key(|(_, column)| column.rank);
        match last {
            Some((index, column)) if column.rank > 0 => {
                used -= column.width();
                columns.remove(index);
            }
            _ => return list(&columns),
        }
    }
    let mut table = plain(columns.iter().map(|column| column.title.clone()).collect());
    for (index, column) in columns.iter().enumerate() {
        let alignment = if column.words { CellAlignment::Left } else { CellAlignment::Right };
        table.column_mut(index).expect("it is there").set_cell_alignment(alignment);
    }
    for row in 0..columns.first().map_or(0, |column| column.cells.len()) {
        table.add_row(columns.iter().map(|column| column.cells[row].as_str()));
    }
    finish(table)
}

/// A row as a paragraph: its first cell, then `title: cell` below it.
fn list(columns: &[TableColumn]) -> String {
    let Some((first, rest)) = columns.split_first() else { return String::new() };
    let mut text = String::new();
    for (row, name) in first.cells.iter().enumerate() {
        text.push_str(&format!("{name}\n"));
        for column in rest.iter().filter(|column| !column.cells[row].is_empty()) {
            text.push_str(&format!("  {}: {}\n", column.title, column.cells[row]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<TableColumn> {
        let cells = |cell: &str| vec![cell.to_owned(); 2];
        vec![
            TableColumn::words("towards", 0, cells("10.0.0.5:443")),
            TableColumn::new("taken", 0, cells("76 %")),
            TableColumn::new("other", 2, cells("12")),
            TableColumn::words("held by", 1, cells("nginx (812)")),
            TableColumn::new("nothing", 0, cells("")),
        ]
    }

    #[test]
    fn what_matters_least_goes_first() {
        let shown = |width| {
            let text = table(columns(), width);
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(longest <= width, "{longest} in {width}:\n{text}");
            ["other", "held by", "taken"].map(|title| text.contains(title))
        };
        assert_eq!(shown(80), [true, true, true]);
        assert_eq!(shown(40), [false, true, true]);
        assert_eq!(shown(24), [false, false, true]);
        assert_eq!(table(columns(), 10), "10.0.0.5:443\n  taken: 76 %\n".repeat(2));
    }
}
