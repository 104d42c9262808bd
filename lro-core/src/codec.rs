//! The message codec of generated services and clients, so that your crate needs no dependency on
//! `tonic-prost`.

use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::ProstEncoder;

use crate::reason::Reason;

/// A [`Codec`] for `application/grpc+proto`: tonic-prost's, with the right status for messages that
/// cannot be decoded.
///
/// A request that a server cannot decode is the caller's mistake: INVALID_ARGUMENT with an
/// `ErrorInfo` (`REQUEST_UNDECODABLE`). A response that a client cannot decode is INTERNAL.
///
/// ```
/// use lro_core::{codec::ProstCodec, pb};
/// use tonic::codec::Codec;
///
/// fn is_codec(_: impl Codec<Encode = pb::GetOperationRequest, Decode = pb::Operation>) {}
/// is_codec(ProstCodec::default());
/// ```
#[derive(Clone, Debug)]
pub struct ProstCodec<T, U> {
    inner: tonic_prost::ProstCodec<T, U>,
    /// A client asks for the encoder first, a server for the decoder.
    side: Side,
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Server,
    Client,
}

impl<T, U> Default for ProstCodec<T, U> {
    fn default() -> Self {
        Self {
            inner: tonic_prost::ProstCodec::default(),
            side: Side::Server,
        }
    }
}

impl<T, U> Codec for ProstCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        self.side = Side::Client;
        self.inner.encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder {
            inner: self.inner.decoder(),
            side: self.side,
        }
    }
}

/// The decoder of a [`ProstCodec`].
///
/// ```
/// use lro_core::codec::{ProstCodec, ProstDecoder};
/// use lro_core::pb;
/// use tonic::codec::Codec as _;
///
/// let mut codec = ProstCodec::<pb::GetOperationRequest, pb::Operation>::default();
/// let decoder: ProstDecoder<pb::Operation> = codec.decoder();
/// ```
#[derive(Clone, Debug)]
pub struct ProstDecoder<U> {
    inner: tonic_prost::ProstDecoder<U>,
    side: Side,
}

impl<U: Message + Default> Decoder for ProstDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let decoded = self.inner.decode(buffer);
        decoded.map_err(|error| match self.side {
            Side::Client => error,
            Side::Server => {
                let reason = error.message();
                let message = format!(
                    "the request message does not match the proto of this rpc ({reason}): check that \
                     client and server use the same version of the proto"
                );
                Reason::RequestUndecodable.status(message, [])
            }
        })
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.inner.buffer_settings()
    }
}
