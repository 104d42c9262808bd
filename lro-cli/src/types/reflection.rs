//! Server reflection, v1 and v1alpha, over the channel of all calls.

use std::sync::OnceLock;
use std::time::Duration;

use futures_util::stream;
use tonic::{Code, Status};
use tonic_reflection::pb::{v1, v1alpha};

use super::pool::File;
use crate::connect::Service;
use crate::failure::Failure;

/// A version of the reflection service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V1Alpha,
}

/// Asks a server for its descriptors.
pub(super) struct Reflection {
    service: Service,
    versions: &'static [Version],
    /// The version that the server has. `None` inside: it has none.
    found: OnceLock<Option<Version>>,
    limit: Duration,
}

/// A question to the server.
#[derive(Clone, Copy, Debug)]
enum Question<'a> {
    Services,
    Symbol(&'a str),
    File(&'a str),
}

/// The answer to a question.
enum Answer {
    Services(Vec<String>),
    Files(Vec<Vec<u8>>),
    /// The server does not know what it was asked for.
    Unknown,
}

impl Reflection {
    pub(super) fn new(service: Service, versions: &'static [Version], limit: Duration) -> Self {
        Self {
            service,
            versions,
            found: OnceLock::new(),
            limit,
        }
    }

    pub(super) fn version(&self) -> Option<&'static str> {
        self.found
            .get()
            .copied()
            .flatten()
            .map(|version| match version {
                Version::V1 => "v1",
                Version::V1Alpha => "v1alpha",
            })
    }

    /// The services of the server; `None` without reflection.
    pub(super) async fn services(&self) -> Result<Option<Vec<String>>, Failure> {
        Ok(match self.ask(Question::Services).await? {
            Some(Answer::Services(services)) => Some(services),
            Some(_) => Some(Vec::new()),
            None => None,
        })
    }

    /// The file of a symbol, perhaps with what it imports. None if the server does not know it.
    pub(super) async fn files_of(&self, symbol: &str) -> Result<Vec<File>, Failure> {
        Ok(files(self.ask(Question::Symbol(symbol)).await?))
    }

    /// A file by its name, perhaps with what it imports.
    pub(super) async fn file(&self, name: &str) -> Result<Vec<File>, Failure> {
        Ok(files(self.ask(Question::File(name)).await?))
    }

    async fn ask(&self, question: Question<'_>) -> Result<Option<Answer>, Failure> {
        let versions = match self.found.get() {
            Some(None) => return Ok(None),
            Some(Some(Version::V1)) => &[Version::V1],
            Some(Some(Version::V1Alpha)) => &[Version::V1Alpha],
            None => self.versions,
        };
        for version in versions {
            let asked = async {
                match version {
                    Version::V1 => self.ask_v1(question).await,
                    Version::V1Alpha => self.ask_v1alpha(question).await,
                }
            };
            let late = || Status::deadline_exceeded(format!("no answer within {:?}", self.limit));
            let answer = tokio::time::timeout(self.limit, asked).await;
            match answer.unwrap_or_else(|_| Err(late())) {
                Ok(answer) => {
                    let _ = self.found.set(Some(*version));
                    return Ok(Some(answer));
                }
                Err(status) if status.code() == Code::Unimplemented => {}
                // Reflection is a help, and not what the command is about.
                Err(status) if status.code() == Code::PermissionDenied => {}
                Err(status) => {
                    return Err(Failure::of_call(
                        &status,
                        "cannot ask for the server's types",
                        None,
                    ));
                }
            }
        }
        let _ = self.found.set(None);
        Ok(None)
    }

    async fn ask_v1(&self, question: Question<'_>) -> Result<Answer, Status> {
        use v1::server_reflection_client::ServerReflectionClient;
        use v1::server_reflection_request::MessageRequest;
        use v1::server_reflection_response::MessageResponse;
        let request = v1::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(match question {
                Question::Services => MessageRequest::ListServices(String::new()),
                Question::Symbol(symbol) => MessageRequest::FileContainingSymbol(symbol.to_owned()),
                Question::File(name) => MessageRequest::FileByFilename(name.to_owned()),
            }),
        };
        let mut client = ServerReflectionClient::new(self.service.clone());
        let response = client
            .server_reflection_info(stream::iter([request]))
            .await?;
        let answer = response.into_inner().message().await?;
        match answer.and_then(|it| it.message_response) {
            Some(MessageResponse::ListServicesResponse(services)) => {
                let names = services.service.into_iter().map(|it| it.name);
                Ok(Answer::Services(names.collect()))
            }
            Some(MessageResponse::FileDescriptorResponse(files)) => {
                Ok(Answer::Files(files.file_descriptor_proto))
            }
            Some(MessageResponse::ErrorResponse(error)) => refused(error.error_code),
            _ => Ok(Answer::Unknown),
        }
    }

    async fn ask_v1alpha(&self, question: Question<'_>) -> Result<Answer, Status> {
        use v1alpha::server_reflection_client::ServerReflectionClient;
        use v1alpha::server_reflection_request::MessageRequest;
        use v1alpha::server_reflection_response::MessageResponse;
        let request = v1alpha::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(match question {
                Question::Services => MessageRequest::ListServices(String::new()),
                Question::Symbol(symbol) => MessageRequest::FileContainingSymbol(symbol.to_owned()),
                Question::File(name) => MessageRequest::FileByFilename(name.to_owned()),
            }),
        };
        let mut client = ServerReflectionClient::new(self.service.clone());
        let response = client
            .server_reflection_info(stream::iter([request]))
            .await?;
        let answer = response.into_inner().message().await?;
        match answer.and_then(|it| it.message_response) {
            Some(MessageResponse::ListServicesResponse(services)) => {
                let names = services.service.into_iter().map(|it| it.name);
                Ok(Answer::Services(names.collect()))
            }
            Some(MessageResponse::FileDescriptorResponse(files)) => {
                Ok(Answer::Files(files.file_descriptor_proto))
            }
            Some(MessageResponse::ErrorResponse(error)) => refused(error.error_code),
            _ => Ok(Answer::Unknown),
        }
    }
}

/// An error within the stream: about the question, and not about the service.
fn refused(code: i32) -> Result<Answer, Status> {
    match Code::from(code) {
        Code::Unimplemented => Err(Status::unimplemented("")),
        _ => Ok(Answer::Unknown),
    }
}

fn files(answer: Option<Answer>) -> Vec<File> {
    match answer {
        Some(Answer::Files(files)) => files.into_iter().filter_map(File::read).collect(),
        _ => Vec::new(),
    }
}
