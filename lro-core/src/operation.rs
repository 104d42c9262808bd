use std::fmt;
use std::marker::PhantomData;

use bytes::{Buf, BufMut};
use prost::encoding::{DecodeContext, WireType};
use prost::{DecodeError, Message, Name};

use crate::payload::{UnpackError, unpack};
use crate::pb;
use crate::pb::rpc::Status;

/// A `google.longrunning.Operation` whose response is an `R` and whose metadata is an `M`.
///
/// It is itself a `prost::Message`, identical on the wire to [`pb::Operation`], which is why the
/// stubs that `lro_build` generates can return it in place of the raw message.
///
/// ```
/// use lro_core::{Operation, Outcome, pack, pb};
///
/// let operation = Operation::<prost_types::Timestamp, ()>::from(pb::Operation {
///     name: "operations/1".into(),
///     metadata: Some(pack(&())),
///     done: true,
///     result: Some(pb::operation::Result::Response(pack(&prost_types::Timestamp::default()))),
/// });
/// assert_eq!(operation.metadata()?, Some(()));
/// assert_eq!(operation.outcome()?, Outcome::Response(prost_types::Timestamp::default()));
/// # Ok::<(), lro_core::UnpackError>(())
/// ```
pub struct Operation<R, M> {
    inner: pb::Operation,
    types: PhantomData<fn() -> (R, M)>,
}

impl<R, M> Operation<R, M> {
    /// The operation's resource name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Whether it has finished, and [`outcome`](Self::outcome) will not change any more.
    pub fn done(&self) -> bool {
        self.inner.done
    }

    /// The error of a failed or cancelled operation, with all its details.
    pub fn error(&self) -> Option<&Status> {
        match &self.inner.result {
            Some(pb::operation::Result::Error(status)) => Some(status),
            _ => None,
        }
    }

    /// The wire message.
    pub fn as_inner(&self) -> &pb::Operation {
        &self.inner
    }

    /// The wire message.
    pub fn into_inner(self) -> pb::Operation {
        self.inner
    }
}

impl<R, M: Message + Name + Default + 'static> Operation<R, M> {
    /// The metadata, which describes the operation's progress, if the server has sent any.
    ///
    /// # Errors
    ///
    /// [`UnpackError`] when it is of another type, or does not decode. The result may still be
    /// readable.
    pub fn metadata(&self) -> Result<Option<M>, UnpackError> {
        self.inner.metadata.as_ref().map(unpack).transpose()
    }
}

impl<R: Message + Name + Default + 'static, M> Operation<R, M> {
    /// The state of the operation: running, or finished with a response or an error.
    ///
    /// A server may send a result before it says `done`: that counts as finished.
    ///
    /// # Errors
    ///
    /// [`UnpackError`] when the response has another type than `R`, or does not decode.
    pub fn outcome(&self) -> Result<Outcome<R>, UnpackError> {
        Ok(match &self.inner.result {
            Some(pb::operation::Result::Response(any)) => Outcome::Response(unpack(any)?),
            Some(pb::operation::Result::Error(status)) => Outcome::Error(status.clone()),
            None if self.inner.done => Outcome::Missing,
            None => Outcome::Running,
        })
    }
}

/// The state of an [`Operation`] as its caller sees it. See [`Operation::outcome`].
///
/// ```
/// use lro_core::{Operation, Outcome, pb};
///
/// let operation = Operation::<(), ()>::from(pb::Operation {
///     done: true,
///     result: Some(pb::operation::Result::Error(pb::rpc::Status {
///         code: 5,
///         message: "no such table".into(),
///         details: Vec::new(),
///     })),
///     ..Default::default()
/// });
/// match operation.outcome()? {
///     Outcome::Running => println!("still running"),
///     Outcome::Response(()) => println!("succeeded"),
///     Outcome::Error(status) => println!("failed: {}", status.message),
///     Outcome::Missing => println!("finished, but the server sent no result"),
/// }
/// # Ok::<(), lro_core::UnpackError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome<R> {
    /// It has not finished.
    Running,
    /// It has succeeded.
    Response(R),
    /// It has failed, or was cancelled (code CANCELLED).
    Error(Status),
    /// It has finished, and the server sent neither a response nor an error. The standard allows
    /// that; servers of this project never do it.
    Missing,
}

impl<R> Outcome<R> {
    /// The response of an operation that has succeeded.
    pub fn response(self) -> Option<R> {
        match self {
            Self::Response(response) => Some(response),
            Self::Running | Self::Error(_) | Self::Missing => None,
        }
    }

    /// The error of an operation that has failed or was cancelled.
    pub fn error(self) -> Option<Status> {
        match self {
            Self::Error(status) => Some(status),
            Self::Running | Self::Response(_) | Self::Missing => None,
        }
    }

    /// Whether the operation has finished.
    pub fn is_done(&self) -> bool {
        !matches!(self, Self::Running)
    }
}

impl<R, M> From<pb::Operation> for Operation<R, M> {
    fn from(inner: pb::Operation) -> Self {
        Self {
            inner,
            types: PhantomData,
        }
    }
}

impl<R, M> From<Operation<R, M>> for pb::Operation {
    fn from(operation: Operation<R, M>) -> Self {
        operation.inner
    }
}

// Written out, because a derive would ask `R` and `M` for the same traits.

impl<R, M> Clone for Operation<R, M> {
    fn clone(&self) -> Self {
        self.inner.clone().into()
    }
}

impl<R, M> Default for Operation<R, M> {
    fn default() -> Self {
        pb::Operation::default().into()
    }
}

impl<R, M> PartialEq for Operation<R, M> {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl<R, M> fmt::Debug for Operation<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<R, M> Message for Operation<R, M> {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        self.inner.encode_raw(buf);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        self.inner.merge_field(tag, wire_type, buf, context)
    }

    fn encoded_len(&self) -> usize {
        self.inner.encoded_len()
    }

    fn clear(&mut self) {
        self.inner.clear();
    }
}

impl<R, M> Name for Operation<R, M> {
    const NAME: &'static str = pb::Operation::NAME;
    const PACKAGE: &'static str = pb::Operation::PACKAGE;

    fn full_name() -> String {
        pb::Operation::full_name()
    }

    fn type_url() -> String {
        pb::Operation::type_url()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack;

    type Typed = Operation<prost_types::Duration, prost_types::Timestamp>;

    fn succeeded() -> pb::Operation {
        pb::Operation {
            name: "operations/1".into(),
            metadata: Some(pack(&prost_types::Timestamp::default())),
            done: true,
            result: Some(pb::operation::Result::Response(pack(
                &prost_types::Duration {
                    seconds: 7,
                    nanos: 0,
                },
            ))),
        }
    }

    #[test]
    fn the_typed_view_is_the_same_on_the_wire() {
        let bytes = succeeded().encode_to_vec();
        let typed = Typed::decode(&*bytes).unwrap();
        assert_eq!(typed.encode_to_vec(), bytes);
        assert_eq!(typed.encoded_len(), bytes.len());
        assert_eq!(typed.into_inner(), succeeded());
    }

    #[test]
    fn metadata_of_another_type_leaves_the_result_readable() {
        let typed = Typed::from(pb::Operation {
            metadata: Some(pack(&())),
            ..succeeded()
        });
        assert!(typed.metadata().is_err());
        let response = typed.outcome().unwrap().response().unwrap();
        assert_eq!(response.seconds, 7);
    }

    #[test]
    fn done_without_a_result_differs_from_not_done() {
        let silent = Typed::from(pb::Operation {
            done: true,
            result: None,
            ..succeeded()
        });
        assert!(silent.outcome().unwrap() == Outcome::Missing && silent.error().is_none());
    }
}
