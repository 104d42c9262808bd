//! The policy of lists: filter fields and page sizes.

use super::state::OperationState::{Cancelled, Cancelling, Failed, Pending, Running, Succeeded};
use crate::filter::{Field, Operator, Schema};

/// How a service lists its operations: what filters may name and must name, and how long pages are.
/// A value by itself: each service of a server can have one, and the server has one for the others.
///
/// The default lets filters name the [fields of every operation](Schema), requires nothing, and
/// leaves the pages to the server's limits.
///
/// ```
/// use lro_core::store::ListPolicy;
/// use lro_core::filter::Filter;
///
/// let policy = ListPolicy::service_infrastructure();
/// assert_eq!((policy.default_page_size, policy.max_page_size), (Some(50), Some(100)));
/// assert!(Filter::parse("serviceName = a.example.com AND status = done", &policy.schema).is_ok());
/// assert!(Filter::parse("status = done", &policy.schema).is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListPolicy {
    /// The fields that filters may name, and the restrictions that they must contain.
    pub schema: Schema,
    /// How many operations a page has when the caller does not say. `None`: as the server says.
    pub default_page_size: Option<usize>,
    /// How many operations a page has at most. `None`: as the server says.
    pub max_page_size: Option<usize>,
    /// Whether the service takes `return_partial_success` (AIP-217). Off: it is UNIMPLEMENTED, for
    /// every list. On: a list across collections, such as that of `projects/p/locations/-`, takes
    /// it, and one of a single collection refuses it as INVALID_ARGUMENT.
    ///
    /// A store is reached as a whole or not at all, so `unreachable` is empty either way: what
    /// fails is the call.
    pub partial_success: bool,
}

impl ListPolicy {
    /// Lists with this schema.
    pub fn new(schema: Schema) -> Self {
        Self {
            schema,
            ..Self::default()
        }
    }

    /// How many operations a page has when the caller does not say.
    #[must_use]
    pub fn default_page_size(mut self, operations: usize) -> Self {
        self.default_page_size = Some(operations);
        self
    }

    /// How many operations a page has at most.
    #[must_use]
    pub fn max_page_size(mut self, operations: usize) -> Self {
        self.max_page_size = Some(operations);
        self
    }

    /// Whether the service takes `return_partial_success`, see the
    /// [field](Self#structfield.partial_success).
    #[must_use]
    pub fn partial_success(mut self, taken: bool) -> Self {
        self.partial_success = taken;
        self
    }

    /// The dialect of Service Infrastructure, as Service Management documents it: pages of 50, at
    /// most 100.
    ///
    /// | field | stands for | operators |
    /// | --- | --- | --- |
    /// | `serviceName`, required on the top level | the label `service` | `=` |
    /// | `startTime`, with dates such as `"2017-02-01"` | `create_time` | `<` `<=` `>` `>=` |
    /// | `status` | `done`: it has ended; `in_progress`; `failed`: with an error | `=` `!=` |
    ///
    /// There is no other field.
    pub fn service_infrastructure() -> Self {
        let status = Field::states([
            ("done", [Succeeded, Failed, Cancelled].as_slice()),
            ("in_progress", &[Pending, Running, Cancelling]),
            ("failed", &[Failed, Cancelled]),
        ]);
        let service = Field::path("labels.service").operators([Operator::Equal]);
        let schema = Schema::builder()
            .field("serviceName", service.required())
            .field("startTime", Field::path("create_time").ordered().dates())
            .field("status", status)
            .closed();
        Self {
            schema: schema.build(),
            default_page_size: Some(50),
            max_page_size: Some(100),
            partial_success: false,
        }
    }

    /// The dialect of the Genomics API, v1: pages of at most 256.
    ///
    /// | field | stands for | operators |
    /// | --- | --- | --- |
    /// | `projectId`, required on the top level | the label `project` | all of texts |
    /// | `createTime`, in seconds since 1970 | `create_time` | `>=` `<=` |
    /// | `status`, once | `RUNNING`: it has not ended; `SUCCESS`, `FAILURE`, `CANCELED` | `=` |
    /// | `labels.{key}`, where `= *` asks for the key | `labels.{key}` | all of texts |
    ///
    /// There is no other field.
    pub fn genomics_v1() -> Self {
        let status = Field::states([
            ("RUNNING", [Pending, Running, Cancelling].as_slice()),
            ("SUCCESS", &[Succeeded]),
            ("FAILURE", &[Failed]),
            ("CANCELED", &[Cancelled]),
        ]);
        let time = Field::path("create_time")
            .operators([Operator::GreaterOrEqual, Operator::LessOrEqual])
            .epoch_seconds();
        let schema = Schema::builder()
            .field("projectId", Field::path("labels.project").required())
            .field("createTime", time)
            .field("status", status.operators([Operator::Equal]).once())
            .field("labels", Field::path("labels"))
            .closed();
        Self::genomics(schema.build())
    }

    /// The dialect of the Genomics API, v2alpha1, over a schema with the types of the service: pages
    /// of at most 256.
    ///
    /// `events:Name` asks for an element of a repeated text, or of a repeated message's text, whose
    /// path is given, such as `metadata.events.name`. `error = NULL` is `error = null`. Everything
    /// else is as in the schema.
    pub fn genomics_v2alpha1(schema: &Schema, events: &str) -> Self {
        let schema = schema
            .to_builder()
            .field("events", Field::path(events).operators([Operator::Has]))
            .field("error", Field::path("error").upper_case_null());
        Self::genomics(schema.build())
    }

    /// The dialect of Spanner's administration APIs, such as ListDatabaseOperations and
    /// ListBackupOperations, over a schema with the types of the service.
    ///
    /// `:` asks whether a text contains the literal. Everything else is as in the schema:
    /// `metadata.@type`, fields of metadata and response, and `error:*`. Unlike Spanner's own server,
    /// this one compares texts with their case.
    ///
    /// ```
    /// use lro_core::filter::{Filter, Schema};
    /// use lro_core::store::ListPolicy;
    ///
    /// let policy = ListPolicy::spanner(&Schema::default());
    /// let filter = "(metadata.@type:RestoreDatabaseMetadata) AND (name:howl) AND (error:*)";
    /// assert!(Filter::parse(filter, &policy.schema).is_ok());
    /// ```
    pub fn spanner(schema: &Schema) -> Self {
        Self::new(schema.to_builder().colon_contains().build())
    }

    fn genomics(schema: Schema) -> Self {
        Self {
            schema,
            default_page_size: Some(256),
            max_page_size: Some(256),
            partial_success: false,
        }
    }
}
