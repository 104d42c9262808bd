//! The list that a visitor wants to see. All of it stands in the address.

use lro_core::{ListOptions, ParentPattern, Reason};
use maud::{Markup, html};
use tonic::Status;

use crate::params::{Params, link};

/// How many rows a page has, unless the visitor wants another number.
pub(crate) const DEFAULT_ROWS: i32 = 50;

/// The most rows of a page.
pub(crate) const MAX_ROWS: i32 = 1_000;

/// The filter of each chip.
pub(super) const CHIPS: [(&str, &str, &str); 6] = [
    ("", "All", ""),
    ("pending", "Pending", "state = PENDING"),
    (
        "running",
        "Running",
        "(state = RUNNING OR state = CANCELLING)",
    ),
    ("failed", "Failed", "state = FAILED"),
    ("succeeded", "Succeeded", "state = SUCCEEDED"),
    ("cancelled", "Cancelled", "state = CANCELLED"),
];

/// The list that a visitor wants to see.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) filter: String,
    pub(crate) chip: &'static str,
    /// The parent as the visitor gave it; empty for that of the console.
    pub(crate) parent: String,
    pub(crate) rows: i32,
    pub(crate) token: String,
}

impl Wanted {
    pub(crate) fn of(params: &Params) -> Self {
        let chip = params.get("state");
        let chip = CHIPS.iter().find(|(key, ..)| *key == chip);
        let rows = params.get("rows").parse().unwrap_or(DEFAULT_ROWS);
        Self {
            filter: params.get("filter").trim().to_owned(),
            chip: chip.map_or("", |(key, ..)| key),
            parent: params.get("parent").to_owned(),
            rows: rows.clamp(1, MAX_ROWS),
            token: params.get("page").to_owned(),
        }
    }

    /// The filter of the visitor and of the chip together, and where that of the visitor begins.
    pub(crate) fn whole_filter(&self) -> (String, usize) {
        let chip = CHIPS.iter().find(|(key, ..)| *key == self.chip);
        let of_chip = chip.map_or("", |(.., filter)| filter);
        match (self.filter.is_empty(), of_chip.is_empty()) {
            (_, true) => (self.filter.clone(), 0),
            (true, false) => (of_chip.to_owned(), 0),
            (false, false) => (format!("({}) AND {of_chip}", self.filter), 1),
        }
    }

    pub(crate) fn options(&self) -> ListOptions {
        let (filter, _) = self.whole_filter();
        let options = ListOptions::new().filter(filter).page_size(self.rows);
        options.page_token(self.token.clone())
    }

    /// # Errors
    ///
    /// INVALID_ARGUMENT for a text that is no parent.
    pub(crate) fn parent(&self, default: &ParentPattern) -> Result<ParentPattern, Status> {
        if self.parent.is_empty() {
            return Ok(default.clone());
        }
        let parsed = self.parent.parse();
        parsed.map_err(|error| Reason::InvalidField.field_status("parent", format!("{error}")))
    }

    pub(crate) fn link(&self, chip: &str, token: &str) -> String {
        self.link_to("", &[], chip, token)
    }

    /// An operation, which remembers this list. At an end of it, the page says so.
    pub(crate) fn operation(&self, name: &str, end: &str) -> String {
        let params = [("name", name), ("end", end)];
        self.link_to("operation", &params, self.chip, &self.token)
    }

    /// The operation that is newer or older in this list.
    pub(crate) fn beside(&self, name: &str, to: &str) -> String {
        let params = [("name", name), ("to", to)];
        self.link_to("neighbour", &params, self.chip, &self.token)
    }

    fn link_to(&self, page: &str, params: &[(&str, &str)], chip: &str, token: &str) -> String {
        let rows = if self.rows == DEFAULT_ROWS {
            String::new()
        } else {
            self.rows.to_string()
        };
        let of_list = [
            ("filter", &*self.filter),
            ("state", chip),
            ("parent", &self.parent),
            ("rows", &rows),
            ("page", token),
        ];
        link(page, &[params, &of_list].concat())
    }

    /// The fields of a form that remember this list.
    pub(crate) fn inputs(&self) -> Markup {
        let rows = self.rows.to_string();
        let fields = [
            ("list", "yes"),
            ("filter", &*self.filter),
            ("state", self.chip),
            ("parent", &self.parent),
            ("rows", if self.rows == DEFAULT_ROWS { "" } else { &rows }),
            ("page", &self.token),
        ];
        html! {
            @for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
                input type="hidden" name=(name) value=(value);
            }
        }
    }

    /// The list that a form remembers; `None` for that of a page of one operation.
    pub(crate) fn remembered(form: &Params) -> Option<Self> {
        (form.get("list") == "yes").then(|| Self::of(form))
    }

    /// Leads back to this list.
    pub(crate) fn back(&self, did: &str) -> String {
        self.link_to("", &[("did", did)], self.chip, &self.token)
    }

    /// The list in a file.
    pub(super) fn export_link(&self, format: &str) -> String {
        link(
            "export",
            &[
                ("format", format),
                ("filter", &self.filter),
                ("state", self.chip),
                ("parent", &self.parent),
            ],
        )
    }

    pub(super) fn cleared(&self) -> Self {
        Self {
            filter: String::new(),
            ..self.clone()
        }
    }
}
