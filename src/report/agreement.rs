//! What model and kernel did side by side: `validate.json`, and the same as CSV and Markdown.

use serde::Serialize;

use super::json::pretty;
use crate::validate::Judgement;

/// The answer of `portsim validate`.
#[derive(Clone, Debug, Serialize)]
pub struct Agreement {
    /// Version of portsim.
    pub version: &'static str,
    /// Release of the kernel, as `uname -r` says it.
    pub kernel: String,
    /// Jiffies a second of the kernel.
    pub hz: u32,
    /// Cases that were made and agree.
    pub agree: usize,
    /// Cases that were made and differ.
    pub differ: usize,
    /// Cases that could not be made on this kernel.
    pub skipped: usize,
    /// True when it was interrupted before all cases were made.
    pub partial: bool,
    /// The cost of a search, as measured; `null` where it was not.
    pub search_cost: Option<MeasuredCost>,
    /// One for each case.
    pub cases: Vec<Compared>,
}

/// What `connect()` costs on this machine: to be written as `search_cost` of a host.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MeasuredCost {
    /// A connection that finds its port at once, in microseconds.
    pub connect_us: f64,
    /// A further port looked at, in nanoseconds.
    pub probe_ns: f64,
}

/// One case.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    /// Its name.
    pub case: String,
    /// What came of it.
    pub verdict: Outcome,
    /// What the kernel did; why it was skipped, where it was.
    pub kernel: String,
    /// What the model says.
    pub model: String,
    /// Where they differ, each with both numbers.
    pub differs: Vec<String>,
    /// What the case shows, or how it differs from the scenario it comes from.
    pub notes: String,
}

/// What came of one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The kernel did what the model says.
    Agrees,
    /// It did not.
    Differs,
    /// It could not be made here.
    Skipped,
}

impl Outcome {
    /// One word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::Differs => "DIFFERS",
            Self::Skipped => "skipped",
        }
    }
}

impl Compared {
    /// A case that was made.
    #[must_use]
    pub fn judged(case: &str, judgement: Judgement, notes: &str) -> Self {
        if let Some(why) = judgement.unfit {
            return Self::skipped(case, &why, notes);
        }
        let verdict = if judgement.agrees() { Outcome::Agrees } else { Outcome::Differs };
        let Judgement { differs, kernel, model, .. } = judgement;
        Self { case: case.to_owned(), verdict, kernel, model, differs, notes: notes.to_owned() }
    }

    /// A case that could not be made.
    #[must_use]
    pub fn skipped(case: &str, why: &str, notes: &str) -> Self {
        Self {
            case: case.to_owned(),
            verdict: Outcome::Skipped,
            kernel: why.to_owned(),
            model: String::new(),
            differs: Vec::new(),
            notes: notes.to_owned(),
        }
    }
}

impl Agreement {
    /// The result of `cases` on a kernel.
    #[must_use]
    pub fn new(kernel: String, hz: u32, cases: Vec<Compared>, planned: usize) -> Self {
        let count = |wanted| cases.iter().filter(|case| case.verdict == wanted).count();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            kernel,
            hz,
            agree: count(Outcome::Agrees),
            differ: count(Outcome::Differs),
            skipped: count(Outcome::Skipped),
            partial: cases.len() < planned,
            search_cost: None,
            cases,
        }
    }

    /// One sentence: `All 45 cases agree with Linux 6.18.44 (HZ=250).`
    #[must_use]
    pub fn sentence(&self) -> String {
        let made = self.agree + self.differ;
        // What a distributor or a builder appends says nothing about the model.
        let version = self.kernel.split('-').next().unwrap_or_default();
        let kernel = format!("Linux {version} (HZ={})", self.hz);
        let all =
            if made == 1 { "The case agrees".into() } else { format!("All {made} cases agree") };
        let mut text = match (made, self.differ) {
            (0, _) if self.partial => "before the first case ended.".to_owned(),
            (0, _) => format!("No case could be made on {kernel}."),
            (_, 0) => format!("{all} with {kernel}."),
            (_, differ) => format!("{differ} of {made} cases differ from {kernel}."),
        };
        if self.skipped > 0 && made > 0 {
            text += &format!(" {} could not be made here.", self.skipped);
        }
        if self.partial {
            let colon = if made == 0 { "" } else { ":" };
            text = format!("Interrupted{colon} {text}");
        }
        text
    }

    /// `validate.json`.
    #[must_use]
    pub fn to_json(&self) -> String {
        pretty(self)
    }

    /// One row a case under a header.
    ///
    /// # Panics
    /// Never: writing into memory cannot fail.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut row = |fields: [&str; 6]| writer.write_record(fields).expect("memory takes all");
        row(["case", "verdict", "kernel", "model", "notes", "differs"]);
        for case in &self.cases {
            let Compared { case, verdict, kernel, model, notes, differs } = case;
            let differs = differs.join("; ");
            row([case, &verdict.word().to_lowercase(), kernel, model, notes, &differs]);
        }
        String::from_utf8(writer.into_inner().expect("memory takes all")).expect("all was UTF-8")
    }

    /// A table for a ticket.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = format!("{}\n\n| case | verdict | kernel | model |\n", self.sentence());
        text += "| --- | --- | --- | --- |\n";
        for Compared { case, verdict, kernel, model, differs, .. } in &self.cases {
            let model = [std::slice::from_ref(model), &differs[..]].concat().join("; ");
            let cell = |cell: &str| cell.replace('|', "\\|");
            text += &format!(
                "| {} | {} | {} | {} |\n",
                cell(case),
                verdict.word(),
                cell(kernel),
                cell(&model)
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreement(differ: bool) -> Agreement {
        let judgement = |agrees| Judgement {
            differs: if agrees { Vec::new() } else { vec!["refused 3, model 5".into()] },
            kernel: "50 | 50".into(),
            model: "100".into(),
            unfit: None,
        };
        let cases = vec![
            Compared::judged("hold/connect", judgement(true), ""),
            Compared::judged("churn/even", judgement(!differ), ""),
            Compared::skipped("hold/port-range", "this kernel has no IP_LOCAL_PORT_RANGE", ""),
        ];
        Agreement::new("6.18.44".into(), 250, cases, 3)
    }

    #[test]
    fn the_sentence_counts_what_was_made() {
        assert_eq!(
            agreement(false).sentence(),
            "All 2 cases agree with Linux 6.18.44 (HZ=250). 1 could not be made here."
        );
        let told = agreement(true).sentence();
        assert!(told.starts_with("1 of 2 cases differ from Linux 6.18.44"), "{told}");
        let cut = Agreement { partial: true, ..agreement(false) };
        assert!(cut.sentence().starts_with("Interrupted: All 2 cases agree"));
    }

    #[test]
    fn every_form_has_every_case() {
        let agreement = agreement(true);
        let json: serde_json::Value = serde_json::from_str(&agreement.to_json()).unwrap();
        assert_eq!(json["cases"][1]["verdict"], "differs");
        assert_eq!(agreement.to_csv().lines().count(), 4);
        let markdown = agreement.to_markdown();
        assert!(
            markdown.contains("| churn/even | DIFFERS | 50 \\| 50 | 100; refused 3, model 5 |"),
            "{markdown}"
        );
    }
}
