//! Continues the caller's trace: W3C Trace Context for OpenTelemetry. Has no effect without the
//! feature `otel`.

use tracing::Span;

/// Makes the span a child of the caller's, if these headers tell of one.
#[cfg(not(feature = "otel"))]
pub(crate) fn continue_trace(_span: &Span, _trace_parent: &str, _trace_state: &str) {}

/// Makes the span a child of the caller's, if these headers tell of one.
#[cfg(feature = "otel")]
pub(crate) fn continue_trace(span: &Span, trace_parent: &str, trace_state: &str) {
    use opentelemetry::Context;
    use opentelemetry::trace::TraceContextExt as _;
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    if let Some(caller) = otel::parse(trace_parent, trace_state) {
        // This fails if no collector of traces is installed.
        let _ = span.set_parent(Context::new().with_remote_span_context(caller));
    }
}

#[cfg(feature = "otel")]
mod otel {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId};

    /// Reads `traceparent` and `tracestate` as the W3C wants it; a state that cannot be read is
    /// none.
    pub(super) fn parse(trace_parent: &str, trace_state: &str) -> Option<SpanContext> {
        let mut parts = trace_parent.trim().split('-');
        let mut hex = |len: usize| {
            let part = parts.next()?;
            let lower = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
            (part.len() == len && part.bytes().all(lower)).then_some(part)
        };
        let (version, trace, span, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
        // Later versions may have more; this one has not, and ff is none.
        if version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let trace = TraceId::from_hex(trace).ok()?;
        let span = SpanId::from_hex(span).ok()?;
        let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
        let state = trace_state.parse().unwrap_or_default();
        let context = SpanContext::new(trace, span, flags, true, state);
        context.is_valid().then_some(context)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        const SPAN: &str = "00f067aa0ba902b7";

        #[test]
        fn trace_contexts_that_the_w3c_allows_are_read() {
            let context = parse(&format!("00-{TRACE}-{SPAN}-01"), "a=1,b=2").unwrap();
            assert_eq!(context.trace_id().to_string(), TRACE);
            assert_eq!(context.span_id().to_string(), SPAN);
            assert!(context.is_sampled() && context.is_remote());
            assert_eq!(context.trace_state().get("b"), Some("2"));
            let later = parse(&format!("01-{TRACE}-{SPAN}-00-more"), "odd").unwrap();
            assert!(!later.is_sampled());
            assert_eq!(later.trace_state().header(), "");
        }

        proptest::proptest! {
            #[test]
            fn any_text_is_a_trace_or_none(
                trace_parent in "\\PC{0,60}|[0-9a-f-]{50,56}",
                trace_state in "\\PC{0,60}",
            ) {
                parse(&trace_parent, &trace_state);
            }
        }

        #[test]
        fn nothing_else_is() {
            for bad in [
                String::new(),
                "00".to_owned(),
                format!("ff-{TRACE}-{SPAN}-01"),
                format!("00-{TRACE}-{SPAN}-01-more"),
                format!("00-{TRACE}-{SPAN}"),
                format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
                format!("00-{TRACE}-{SPAN}-+1"),
                format!("00-{}-{SPAN}-01", "0".repeat(32)),
                format!("00-{TRACE}-{}-01", "0".repeat(16)),
            ] {
                assert_eq!(parse(&bad, ""), None, "{bad}");
            }
        }
    }
}
