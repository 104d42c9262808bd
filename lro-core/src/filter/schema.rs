use std::collections::BTreeMap;
use std::sync::Arc;

use prost_reflect::MessageDescriptor;

use super::ast::Operator;
use super::condition::TextField;
use crate::store::OperationState;

/// The fields that a filter may name.
///
/// ```
/// use lro_core::filter::{Filter, Schema};
///
/// let schema = Schema::default();
/// assert!(Filter::parse("done = true AND labels.env = prod", &schema).is_ok());
/// assert!(Filter::parse("colour = red", &schema).is_err());
/// ```
///
/// The fields of every operation are there from the beginning:
///
/// | field | type |
/// | --- | --- |
/// | `name`, `method` | string |
/// | `done` | bool |
/// | `state` | PENDING, RUNNING, CANCELLING, SUCCEEDED, FAILED or CANCELLED |
/// | `create_time`, `update_time`, `start_time`, `end_time`, `expire_time` | timestamp |
/// | `error`, `error.code`, `error.message` | message, int32 or a name such as `NOT_FOUND`, string |
/// | `labels`, `labels.{key}` | map of string to string |
/// | `attempt` | uint32 |
/// | `waiting`, `blocked` | bool: it is suspended until its steps end, or its code does not fit them |
/// | `waiting.step`, `waiting.kind` | string, and STEP, SLEEP, PROMISE, FIRST, INTRODUCED, SAGA_STEP, UNDO, CHILD or SAGA_CHILD: some call that it waits for is this; `=` only |
/// | `parent_operation` | string: the name of the operation of which it is a child |
/// | `metadata.@type`, `response.@type` | the full name of the type, such as `lib.v1.ImportMetadata`, with or without a host before it: `=`, `!=` and `:`, which also takes the name without its package |
/// | `metadata`, `response` | message; their fields by [`SchemaBuilder::file_descriptor_set`], or [`SchemaBuilder::metadata`] and [`SchemaBuilder::response`] |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema(Arc<SchemaBuilder>);

impl Schema {
    /// The fields of every operation, and what is added to them.
    pub fn builder() -> SchemaBuilder {
        SchemaBuilder::default()
    }

    /// Returns a builder with the contents of this schema, to extend it.
    pub fn to_builder(&self) -> SchemaBuilder {
        SchemaBuilder::clone(&self.0)
    }

    pub(crate) fn field(&self, name: &str) -> Option<(&str, &Field)> {
        let fields = &self.0.fields;
        let found = fields
            .get_key_value(name)
            .or_else(|| fields.iter().find(|(declared, _)| is_camel(declared, name)));
        found.map(|(declared, field)| (declared.as_str(), field))
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &Field)> {
        let fields = self.0.fields.iter();
        fields.map(|(name, field)| (name.as_str(), field))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.closed
    }

    pub(crate) fn metadata(&self) -> &[MessageDescriptor] {
        &self.0.metadata
    }

    pub(crate) fn response(&self) -> &[MessageDescriptor] {
        &self.0.response
    }

    pub(crate) fn search(&self) -> &[TextField] {
        &self.0.search
    }

    /// Whether `:` asks for a part of the text with this path.
    pub(crate) fn colon_contains(&self, names: &[&str]) -> bool {
        self.0.contains.iter().any(|path| {
            let declared: Vec<&str> = path.split('.').filter(|name| !name.is_empty()).collect();
            let mut pairs = declared.iter().zip(names);
            declared.len() <= names.len()
                && pairs.all(|(declared, name)| name == declared || is_camel(declared, name))
        })
    }
}

/// Builds a [`Schema`].
///
/// ```
/// use lro_core::filter::{Field, Filter, Schema};
///
/// // `service` becomes a short name of the label, and no other field may be named.
/// let schema = Schema::builder()
///     .field("service", Field::path("labels.service"))
///     .closed()
///     .build();
/// assert!(Filter::parse("service = billing", &schema).is_ok());
/// assert!(Filter::parse("done = true", &schema).is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaBuilder {
    fields: BTreeMap<String, Field>,
    closed: bool,
    metadata: Vec<MessageDescriptor>,
    response: Vec<MessageDescriptor>,
    search: Vec<TextField>,
    /// The paths of texts, and of what holds them, of which `:` asks for a part.
    contains: Vec<String>,
}

impl SchemaBuilder {
    /// Operations may have metadata of this type, too.
    ///
    /// A filter may name the fields of any of the types; an operation whose metadata is of a type
    /// that lacks the field is passed over. The first of two types of one name stands.
    pub fn metadata(mut self, message: MessageDescriptor) -> Self {
        add(&mut self.metadata, message);
        self
    }

    /// Operations may have a response of this type, too; see [`metadata`](Self::metadata).
    pub fn response(mut self, message: MessageDescriptor) -> Self {
        add(&mut self.response, message);
        self
    }

    /// The types that operations of another schema may have as metadata and response, too.
    pub fn payloads_of(mut self, other: &Schema) -> Self {
        for message in other.metadata() {
            add(&mut self.metadata, message.clone());
        }
        for message in other.response() {
            add(&mut self.response, message.clone());
        }
        self
    }

    /// One more field, or other rules for one that there is.
    pub fn field(mut self, name: impl Into<String>, field: Field) -> Self {
        self.fields.insert(name.into(), field);
        self
    }

    /// Only what [`field`](Self::field) declares may be named.
    pub fn closed(mut self) -> Self {
        self.closed = true;
        self
    }

    /// Adds a text in which bare literals are searched. A schema without such texts rejects bare
    /// literals.
    pub fn search(mut self, field: TextField) -> Self {
        if !self.search.contains(&field) {
            self.search.push(field);
        }
        self
    }

    /// `:` asks whether a text contains the literal, in all fields: the *contains operator* of
    /// Spanner's and Bigtable's documentation. Without this, `:` is `=` on a text, as AIP-160 says.
    ///
    /// ```
    /// use lro_core::filter::{Filter, Schema};
    /// # use lro_core::store::{NewOperation, OperationRecord};
    /// # let new = NewOperation::new(uuid::Uuid::nil(), "operations/howl-7".parse()?, "/s.S/M", lro_core::pack(&()));
    /// # let record = OperationRecord::new(new, lro_core::Timestamp::EPOCH);
    ///
    /// let schema = Schema::builder().colon_contains().build();
    /// assert!(Filter::parse("name:howl", &schema)?.matches(&record));
    /// assert!(!Filter::parse("name:howl", &Schema::default())?.matches(&record));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// It is so for the elements of repeated texts and for the values of labels, too. Numbers,
    /// booleans, enums, times and keys of maps are still compared as a whole, and texts with their
    /// case. A literal with a `*` at an end is the pattern that it is without this.
    pub fn colon_contains(self) -> Self {
        self.colon_contains_in("")
    }

    /// The same for one field, such as `metadata.name`, or for all fields of a message, such as
    /// `metadata`.
    pub fn colon_contains_in(mut self, path: impl Into<String>) -> Self {
        self.contains.push(path.into());
        self
    }

    /// The schema.
    pub fn build(self) -> Schema {
        Schema(Arc::new(self))
    }
}

/// A field of a dialect: a new name for another field, and what may be asked of it.
///
/// ```
/// use lro_core::store::OperationState;
/// use lro_core::filter::{Field, Filter, Operator, Schema};
///
/// // Service Management: `serviceName` is required, times only have an order.
/// let schema = Schema::builder()
///     .field("serviceName", Field::path("labels.service").operators([Operator::Equal]).required())
///     .field("startTime", Field::path("create_time").ordered().dates())
///     .field("status", Field::states([
///         ("done", [OperationState::Succeeded].as_slice()),
///         ("failed", &[OperationState::Failed, OperationState::Cancelled]),
///     ]))
///     .closed()
///     .build();
/// let good = "serviceName=a.googleapis.com AND (status=done OR startTime>=\"2017-02-01\")";
/// assert!(Filter::parse(good, &schema).is_ok());
/// assert!(Filter::parse("status=done", &schema).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub(crate) means: Meaning,
    pub(crate) operators: Option<Vec<Operator>>,
    pub(crate) formats: Formats,
    pub(crate) required: bool,
    pub(crate) once: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Path(Vec<String>),
    States(Vec<(String, Vec<OperationState>)>),
}

/// Which literals a field takes beyond those of AIP-160.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Formats {
    /// `:` asks for a part of a text.
    pub(crate) contains: bool,
    pub(crate) dates: bool,
    pub(crate) epoch_seconds: bool,
    pub(crate) upper_case_null: bool,
}

impl Field {
    /// Another name for this field, such as `create_time` or `labels.service`. A filter may append
    /// further path segments to the name.
    pub fn path(path: &str) -> Self {
        let names = path.split('.').map(str::to_owned).collect();
        Self::new(Meaning::Path(names))
    }

    /// An enum whose values are sets of states.
    pub fn states<'a>(values: impl IntoIterator<Item = (&'a str, &'a [OperationState])>) -> Self {
        let values = values.into_iter();
        let own = |(name, states): (&str, &[OperationState])| (name.to_owned(), states.to_vec());
        Self::new(Meaning::States(values.map(own).collect()))
    }

    /// Only these operators.
    pub fn operators(mut self, operators: impl IntoIterator<Item = Operator>) -> Self {
        self.operators = Some(operators.into_iter().collect());
        self
    }

    /// Only `<`, `<=`, `>` and `>=`.
    pub fn ordered(self) -> Self {
        use Operator::{Greater, GreaterOrEqual, Less, LessOrEqual};
        self.operators([Less, LessOrEqual, Greater, GreaterOrEqual])
    }

    /// Every filter must hold `name = literal`, on the top level and joined by AND only; without
    /// wildcard.
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// A filter may name it once only.
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// `:` asks whether the text contains the literal; see [`SchemaBuilder::colon_contains`].
    pub fn colon_contains(mut self) -> Self {
        self.formats.contains = true;
        self
    }

    /// Dates such as `"2017-02-01"` are timestamps, too: where the day starts in UTC.
    pub fn dates(mut self) -> Self {
        self.formats.dates = true;
        self
    }

    /// Seconds since the Unix epoch such as `1432140000` are timestamps, too.
    pub fn epoch_seconds(mut self) -> Self {
        self.formats.epoch_seconds = true;
        self
    }

    /// `NULL` is `null`, too.
    pub fn upper_case_null(mut self) -> Self {
        self.formats.upper_case_null = true;
        self
    }

    fn new(means: Meaning) -> Self {
        Self {
            means,
            operators: None,
            formats: Formats::default(),
            required: false,
            once: false,
        }
    }
}

/// Whether `name` is the lowerCamelCase of `declared`, which is in snake_case.
pub(crate) fn is_camel(declared: &str, name: &str) -> bool {
    let mut camel = String::with_capacity(declared.len());
    let mut upper = false;
    for c in declared.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                camel.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => camel.push(c),
        }
    }
    camel == name
}

fn add(messages: &mut Vec<MessageDescriptor>, message: MessageDescriptor) {
    if messages
        .iter()
        .all(|known| known.full_name() != message.full_name())
    {
        messages.push(message);
    }
}
