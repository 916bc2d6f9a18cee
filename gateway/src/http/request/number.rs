//! Numbers of a request.

use serde_json::Number;

/// Returns a whole number in any form that JSON allows: `1024`, `1024.0`, `1.024e3`. None for other numbers.
pub(super) fn whole(number: &Number) -> Option<u32> {
    let fits = |whole: u64| u32::try_from(whole).ok();
    number.as_u64().and_then(fits).or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..4e9).contains(float))?;
        format!("{float:.0}").parse().ok()
    })
}
