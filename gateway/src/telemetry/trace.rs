//! Passes the caller's trace on to the model server (W3C Trace Context, level 1).

use std::fmt;

/// Length of a version 00 header: `00-{trace id}-{parent id}-{flags}`.
const LENGTH: usize = 55;

/// A valid `traceparent` header. Its trace id and flags are passed on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    trace: [u8; 32],
    parent: [u8; 16],
    flags: [u8; 2],
}

impl TraceParent {
    /// Parses a header; `None` if it is not valid.
    ///
    /// Its parts must be lower-case hexadecimal, and its ids not all zero. In a header of a later version only the
    /// first four parts are used, as the specification requires.
    #[must_use]
    pub fn parse(header: &[u8]) -> Option<Self> {
        let (head, rest) = header.split_at_checked(LENGTH)?;
        let mut parts = head.split(|&b| b == b'-');
        let (version, trace) = (parts.next()?, parts.next()?);
        let (parent, flags) = (parts.next()?, parts.next()?);
        let ends_validly = if version == b"00" { rest.is_empty() } else { rest.is_empty() || rest.starts_with(b"-") };
        let hex = |text: &[u8]| text.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let is_id = |id: &[u8]| id.iter().any(|&b| b != b'0');
        let lengths = version.len() == 2 && parts.next().is_none();
        let valid = lengths && ends_validly && version != b"ff" && [version, trace, parent, flags].into_iter().all(hex);
        let trace: [u8; 32] = trace.try_into().ok()?;
        let (parent, flags): ([u8; 16], [u8; 2]) = (parent.try_into().ok()?, flags.try_into().ok()?);
        (valid && is_id(&trace) && is_id(&parent)).then_some(Self { trace, parent, flags })
    }

    /// Returns the header for a call of the gateway within the trace: the same trace id with a new parent id.
    #[must_use]
    pub fn of_call(&self) -> String {
        // Zero is not a valid id.
        let parent = fastrand::u64(1..);
        format!("00-{}-{parent:016x}-{}", self.id(), std::str::from_utf8(&self.flags).unwrap_or("00"))
    }

    /// Returns the header of the caller, always as version 00.
    #[must_use]
    pub fn header(&self) -> String {
        let text = |digits| std::str::from_utf8(digits).unwrap_or_default().to_owned();
        format!("00-{}-{}-{}", self.id(), text(&self.parent[..]), text(&self.flags[..]))
    }

    /// Returns the trace id, 32 hexadecimal digits.
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
        let valid = parse(&format!("00-{TRACE}-00f067aa0ba902b7-01")).unwrap();
        assert_eq!(valid.id(), TRACE);
        let (first, second) = (valid.of_call(), valid.of_call());
        assert!(first != second && parse(&first).is_some_and(|call| call.id() == TRACE), "{first} {second}");
        assert_eq!(parse(&valid.header()), Some(valid));
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
