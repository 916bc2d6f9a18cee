//! Lines of therapy: brings the courses of one treatment in several notes together.

use std::cmp::Ordering;

use super::{
    LineResponse, TherapyLine,
    reading::{CourseReading, DateReading},
    time::order,
};

/// The most responses of a line.
const MOST_RESPONSES: usize = 32;

impl TherapyLine {
    /// Adds what a further note states. Notes are added in order of time.
    pub(super) fn add(&mut self, course: CourseReading, index: usize) {
        let value = |date: Option<DateReading>| date.filter(DateReading::is_absolute).map(|date| date.value);
        let (start, stop) = (value(course.start), value(course.stop));
        let is_earlier = |start: &String| {
            self.start.as_ref().is_none_or(|known| match order(start, known) {
                Some(order) => order == Ordering::Less,
                None => start.len() > known.len(),
            })
        };
        if let Some(start) = start.filter(is_earlier) {
            self.start = Some(start);
        }
        if course.status.is_some() {
            self.status = course.status;
            self.reason = course.reason.map(|reason| reason.quote);
            self.stop = stop;
        }
        if let Some(value) = course.response
            && self.responses.len() < MOST_RESPONSES
        {
            self.responses.push(LineResponse { value, index });
        }
    }

    /// Returns the line, if it says anything.
    pub(super) fn told(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}
