//! Draws a snapshot on a screen of 80 by 24 or more. It draws what [`super::text`] writes; a screen that is too small
//! says so.

use ratatui::{
    Frame,
    layout::{Constraint, Layout},
    style::{Color, Modifier, Style},
    text::Line,
    widgets::{Paragraph, Sparkline},
};

use super::{
    snapshot::Snapshot,
    text::{Tone, lines},
};

/// The least columns and lines of a screen.
pub const LEAST: (u16, u16) = (60, 20);
/// Most lines of the graph.
const GRAPH: u16 = 2;
/// Lines other than the body and the graph: the title, that of the graph, and the foot.
const OTHER_LINES: usize = 3;
/// The most readings of the graph.
const MOST_READINGS: usize = 512;

/// What one screen needs besides the snapshot.
#[derive(Clone, Debug, Default)]
pub struct ScreenState {
    /// Whether colours are used, besides words.
    color: bool,
    /// Notes for each second at each reading, oldest first, in thousandths.
    rates: Vec<u64>,
    last: Option<(f64, f64)>,
}

impl ScreenState {
    /// Returns the state of a screen on which nothing was drawn.
    #[must_use]
    pub fn new(color: bool) -> Self {
        Self { color, ..Self::default() }
    }

    /// Remembers the rate of a snapshot for the graph: the notes between the last two readings.
    pub fn remember(&mut self, snapshot: &Snapshot) {
        let Some(figures) = snapshot.figures.fresh() else { return };
        let (notes, at) = (figures.since_start.notes, figures.since_start.seconds);
        if let Some((before, then)) = self.last.filter(|(_, then)| at > *then) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a rate is positive and small"
            )]
            self.rates.push(((notes - before).max(0.0) / (at - then) * 1000.0) as u64);
            if self.rates.len() > MOST_READINGS {
                self.rates.remove(0);
            }
        }
        if self.last.is_none_or(|(_, then)| (at - then).abs() > f64::EPSILON) {
            self.last = Some((notes, at));
        }
    }
}

/// Draws a snapshot.
pub fn draw(frame: &mut Frame<'_>, snapshot: &Snapshot, state: &ScreenState) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        frame.render_widget(Paragraph::new(vec![Line::from("too small"), Line::from("q ends")]), area);
        return;
    }
    let all = lines(snapshot);
    // Words come before the graph, which is readable in one line too.
    let left = usize::from(area.height).saturating_sub(all.len() + OTHER_LINES);
    let graph_lines = GRAPH.min(u16::try_from(left).unwrap_or(GRAPH)).max(1);
    let [head, body, graph_title, graph, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
        Constraint::Length(graph_lines),
        Constraint::Length(1),
    ])
    .areas(area);
    let url = snapshot.url.as_deref().unwrap_or("no address");
    let time = snapshot.time.get(11..19).unwrap_or_default();
    let title = format!("extraction gateway  {url}  {time} UTC");
    frame.render_widget(Line::styled(title, Style::new().add_modifier(Modifier::BOLD)), head);
    let room = usize::from(body.height);
    let hidden = if all.len() > room { all.len() + 1 - room } else { 0 };
    let mut shown: Vec<Line<'_>> = all
        .iter()
        .take(all.len() - hidden)
        .map(|line| Line::styled(line.text.clone(), style(line.tone, state.color)))
        .collect();
    if hidden > 0 {
        shown.push(Line::from(format!("... {hidden} more lines: a higher window shows them")));
    }
    frame.render_widget(Paragraph::new(shown), body);
    let width = usize::from(graph.width);
    let rates: Vec<u64> = state.rates.iter().rev().take(width).rev().copied().collect();
    let most = rates.iter().max().copied().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "for a person")]
    let label = format!("-- notes a second at each reading, up to {:.1}", most as f64 / 1000.0);
    frame.render_widget(Line::styled(label, style(Tone::Title, state.color)), graph_title);
    frame.render_widget(Sparkline::default().data(rates).max(most.max(1)), graph);
    frame.render_widget(Line::from("q or Ctrl-C ends; nothing is changed"), foot);
}

/// Returns the style of a line. Colour and weight repeat what its words say.
fn style(tone: Tone, color: bool) -> Style {
    let painted = |paint: Color| if color { Style::new().fg(paint) } else { Style::new() };
    match tone {
        Tone::Plain => Style::new(),
        Tone::Title => painted(Color::Cyan),
        Tone::Stale => painted(Color::DarkGray).add_modifier(Modifier::DIM),
        Tone::Warning => painted(Color::Yellow).add_modifier(Modifier::BOLD),
        Tone::Alarm => painted(Color::Red).add_modifier(Modifier::BOLD | Modifier::REVERSED),
    }
}

#[cfg(test)]
#[path = "screen_tests.rs"]
mod tests;
