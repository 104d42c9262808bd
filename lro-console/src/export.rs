//! A list in a file, page after page as it is read: NDJSON or CSV.

use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use lro_core::ParentPattern;
use lro_core::pb::operation::Result as Outcome;
use lro_core::{Reason, Timestamp};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::page::fault::{self, code_name};
use crate::page::operations::Wanted;
use crate::page::parts::word;
use crate::route::Visit;
use crate::source::{Record, View};
use crate::text::rfc3339;

/// How many operations are read at once.
const PAGE: i32 = 200;

/// The form of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Ndjson,
    Csv,
}

/// The file. Its first page is read before the answer begins, so that an error has a page; a later
/// one breaks the download off.
pub(crate) async fn show(visit: Visit) -> Response<Body> {
    let mut export = match Export::of(&visit) {
        Ok(export) => export,
        Err(status) => return fault::show(&visit, &status).await,
    };
    let first = match export.next(&visit).await {
        Ok(first) => first,
        Err(status) => return fault::show(&visit, &status).await,
    };
    let (media_type, attachment) = match export.format {
        Format::Ndjson => (
            "application/x-ndjson",
            "attachment; filename=\"operations.ndjson\"",
        ),
        Format::Csv => (
            "text/csv; charset=utf-8; header=present",
            "attachment; filename=\"operations.csv\"",
        ),
    };
    let rest = stream::unfold(
        (export, visit, first),
        |(mut export, visit, ready)| async move {
            let text = match ready {
                Some(text) => Ok(text),
                None => export.next(&visit).await.transpose()?,
            };
            if text.is_err() {
                export.ended = true;
            }
            let frame = text.map(|text| Frame::data(Bytes::from(text)));
            Some((frame, (export, visit, None)))
        },
    );
    let mut response = Response::new(Body::new(StreamBody::new(rest)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(attachment));
    response
}

struct Export {
    wanted: Wanted,
    parent: ParentPattern,
    format: Format,
    has_begun: bool,
    ended: bool,
}

impl Export {
    fn of(visit: &Visit) -> Result<Self, Status> {
        let format = match visit.query.get("format") {
            "ndjson" => Format::Ndjson,
            "csv" => Format::Csv,
            _ => {
                let text = "is neither `ndjson` nor `csv`";
                return Err(Reason::InvalidField.field_status("format", text));
            }
        };
        let mut wanted = Wanted::of(&visit.query);
        wanted.rows = PAGE;
        wanted.token.clear();
        Ok(Self {
            parent: wanted.parent(&visit.settings.parent)?,
            wanted,
            format,
            has_begun: false,
            ended: false,
        })
    }

    /// The text of the next page; `None` at the end.
    async fn next(&mut self, visit: &Visit) -> Result<Option<String>, Status> {
        if self.ended {
            return Ok(None);
        }
        let source = &visit.settings.source;
        let options = self.wanted.options();
        let page = source.list(&visit.visitor, self.parent.clone(), &options);
        let page = page.await?;
        self.ended = page.next_page_token.is_empty();
        self.wanted.token = page.next_page_token;
        let mut text = String::new();
        if self.format == Format::Csv && !self.has_begun {
            text.push_str(&COLUMNS.join(","));
            text.push_str("\r\n");
        }
        self.has_begun = true;
        for view in &page.views {
            match self.format {
                Format::Ndjson => {
                    text.push_str(&json(view, &visit.settings.types)?);
                    text.push('\n');
                }
                Format::Csv => {
                    let cells: Vec<String> = cells(view).iter().map(|it| cell(it)).collect();
                    text.push_str(&cells.join(","));
                    text.push_str("\r\n");
                }
            }
        }
        Ok(Some(text))
    }
}

/// An operation as ListOperations returns it over HTTP, or its record where there is one; without
/// fields that are marked as redacted.
fn json(view: &View, types: &DescriptorPool) -> Result<String, Status> {
    let internal = |text: String| Status::internal(format!("cannot write JSON: {text}"));
    let (name, bytes) = match &view.record {
        Some(record) => {
            let mut record = record.wire().clone();
            record.operation = Some(view.operation.clone());
            ("lro.v1.OperationRecord", record.encode_to_vec())
        }
        None => (
            "google.longrunning.Operation",
            view.operation.encode_to_vec(),
        ),
    };
    let descriptor = types.get_message_by_name(name);
    let descriptor = descriptor.ok_or_else(|| internal(format!("{name} is missing")))?;
    let message = DynamicMessage::decode(descriptor, &*bytes);
    let message = message.map_err(|error| internal(error.to_string()))?;
    let options = lro_json::WriteOptions::new().redact(true);
    let written = options.types(types.clone()).write(&message);
    let written = written.map_err(|error| internal(error.to_string()))?;
    Ok(written.json)
}

const COLUMNS: [&str; 12] = [
    "name",
    "state",
    "method",
    "principal",
    "create_time",
    "start_time",
    "end_time",
    "attempt",
    "error_code",
    "error_message",
    "labels",
    "uid",
];

fn cells(view: &View) -> [String; COLUMNS.len()] {
    let (code, message) = match &view.operation.result {
        Some(Outcome::Error(error)) => (
            code_name(Code::from(error.code)).to_owned(),
            error.message.clone(),
        ),
        _ => (String::new(), String::new()),
    };
    let record = view.record.as_ref();
    let wire = record.map(Record::wire);
    let time = |time: Option<Timestamp>| time.map(rfc3339).unwrap_or_default();
    let text = |text: Option<&String>| text.cloned().unwrap_or_default();
    let mut labels: Vec<_> = wire.iter().flat_map(|wire| &wire.labels).collect();
    labels.sort();
    let labels: Vec<_> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    [
        view.name().to_owned(),
        word(view.state()).to_owned(),
        text(wire.map(|wire| &wire.method)),
        text(wire.map(|wire| &wire.principal)),
        time(record.and_then(Record::create_time)),
        time(record.and_then(Record::start_time)),
        time(record.and_then(Record::end_time)),
        wire.map_or(String::new(), |wire| wire.attempt.to_string()),
        code,
        message,
        labels.join(" "),
        view.uid().to_owned(),
    ]
}

/// A cell (RFC 4180). A spreadsheet computes what begins like a formula, so such a text gets an
/// apostrophe.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains(['"', ',', '\n', '\r']) || is_formula {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_compute_nothing() {
        for (text, written) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"no\"\n", "\"say \"\"no\"\"\n\""),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
            ("@sum", "\"'@sum\""),
            ("", ""),
        ] {
            assert_eq!(cell(text), written);
        }
    }
}
