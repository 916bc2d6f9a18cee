//! The caller's trace (W3C Trace Context, level 1), passed on to the model server.

use std::fmt;

/// Length of a version 00 header: `00-{trace id}-{parent id}-{flags}`.
const LENGTH: usize = 55;

/// A checked `traceparent`, of which trace id and flags are passed on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    trace: [u8; 32],
    parent: [u8; 16],
    flags: [u8; 2],
}

impl TraceParent {
    /// The trace of a header, where it is one: lower-case hexadecimal, and ids that are not all zero.
    /// Headers of later versions count by their first four parts, as the specification asks.
    #[must_use]
    pub fn parse(header: &[u8]) -> Option<Self> {
        let (head, rest) = header.split_at_checked(LENGTH)?;
        let mut parts = head.split(|&b| b == b'-');
        let (version, trace) = (parts.next()?, parts.next()?);
        let (parent, flags) = (parts.next()?, parts.next()?);
        let ends = if version == b"00" { rest.is_empty() } else { rest.is_empty() || rest.starts_with(b"-") };
        let hex = |text: &[u8]| text.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let named = |id: &[u8]| id.iter().any(|&b| b != b'0');
        let lengths = version.len() == 2 && parts.next().is_none();
        let good = lengths && ends && version != b"ff" && [version, trace, parent, flags].into_iter().all(hex);
        let trace: [u8; 32] = trace.try_into().ok()?;
        let (parent, flags): ([u8; 16], [u8; 2]) = (parent.try_into().ok()?, flags.try_into().ok()?);
        (good && named(&trace) && named(&parent)).then_some(Self { trace, parent, flags })
    }

    /// The header for a call of ours within the trace: the same trace, a new parent.
    #[must_use]
    pub fn of_call(&self) -> String {
        // Zero is no id.
        let parent = fastrand::u64(1..);
        format!("00-{}-{parent:016x}-{}", self.id(), std::str::from_utf8(&self.flags).unwrap_or("00"))
    }

    /// The header as it came.
    #[must_use]
    pub fn header(&self) -> String {
        let text = |digits| std::str::from_utf8(digits).unwrap_or_default().to_owned();
        format!("00-{}-{}-{}", self.id(), text(&self.parent[..]), text(&self.flags[..]))
    }

    /// The trace id, 32 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        std::str::from_utf8(&self.trace).unwrap_or_default()
    }
}

impl fmt::Debug for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        let parse = |text: &str| TraceParent::parse(text.as_bytes());
        let good = parse(&format!("00-{TRACE}-00f067aa0ba902b7-01")).unwrap();
        assert_eq!(good.id(), TRACE);
        let (first, second) = (good.of_call(), good.of_call());
        assert!(first != second && parse(&first).is_some_and(|call| call.id() == TRACE), "{first} {second}");
        assert_eq!(parse(&good.header()), Some(good));
        for bad in [
            String::new(),
            "CANARY".to_owned(),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-x"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}0-0f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-0é"),
        ] {
            assert_eq!(parse(&bad), None, "{bad}");
        }
        assert!(parse(&format!("01-{TRACE}-00f067aa0ba902b7-01-later")).is_some());
    }
}
