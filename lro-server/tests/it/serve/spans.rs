//! The tracing of calls.

use std::io;
use std::sync::{Arc, Mutex};

use exporter::pb::exporter_server::ExporterServer;
use lro_core::store::MemoryStore;
use lro_server::Operations;
use lro_server::serve::Server;
use tonic::{Code, Request};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::serve::served::{Plain, Served, table, with_timeout};

/// A log that is kept.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Collects everything that this thread logs, until the guard is dropped.
    pub(crate) fn install(&self) -> DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_span_events(FmtSpan::CLOSE)
            .with_writer(self.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    /// The closing line of the span of a call that ended with this code.
    fn closed(&self, code: &str) -> String {
        let code = format!("rpc.response.status_code=\"{code}\"");
        let text = self.text();
        let line = text
            .lines()
            .find(|line| line.contains(&code) && line.contains("close"));
        line.unwrap_or_else(|| panic!("no {code} in {text}"))
            .to_owned()
    }
}

#[tokio::test]
async fn a_call_is_a_span_and_secrets_are_nowhere() {
    let log = Log::default();
    let _logging = log.install();
    let operations = Operations::new(MemoryStore::new());
    let server = Server::builder(&operations).add_service(ExporterServer::new(Plain::default()));
    let served = Served::start(server).await;
    let mut client = served.connect().await.exporter();
    let mut request = Request::new(table("a"));
    let headers = [
        ("authorization", "Bearer planted-1"),
        ("cookie", "session=planted-2"),
        ("x-api-key", "planted-3"),
    ];
    for (name, secret) in headers {
        let secret = secret.parse().unwrap();
        request.metadata_mut().insert(name, secret);
    }
    client.get_table(request).await.unwrap();
    let late = client.get_table(with_timeout(table("hang"), "1m")).await;
    assert_eq!(late.unwrap_err().code(), Code::DeadlineExceeded);
    drop(client);
    served.stop().await;

    for code in ["OK", "DEADLINE_EXCEEDED"] {
        let line = log.closed(code);
        let method = "rpc.method=\"exporter.v1.Exporter/GetTable\"";
        assert!(line.contains(method), "{line}");
        assert!(line.contains("duration_ms="), "{line}");
    }
    let text = log.text();
    let planted: Vec<_> = text.lines().filter(|it| it.contains("planted")).collect();
    assert_eq!(planted, [""; 0]);
}

#[tokio::test]
async fn a_server_logs_its_address_and_the_number_of_its_workers() {
    let log = Log::default();
    let _logging = log.install();
    let operations = Operations::new(MemoryStore::new());
    let server = Server::builder(&operations).add_service(ExporterServer::new(Plain::default()));
    let served = Served::start(server).await;
    let expected = format!("serving address={} http=false workers=0", served.address);
    served.connect().await;
    served.stop().await;
    let text = log.text();
    assert!(text.contains(&expected), "{text}");
}
