//! Reads HL7 v2 messages: one note for each order (OBR) of a message that has results (OBX), or one for a message
//! without an order.
//!
//! Segments may end with a carriage return, a line feed or both. File and batch headers and the framing of MLLP are
//! ignored. A line that does not begin with a segment name continues the text before it.

mod charset;
mod columns;
mod group;
mod segments;
mod syntax;
#[cfg(test)]
mod tests;

use std::io::BufRead;

use self::{
    charset::Charset,
    columns::{Columns, Scope},
    group::Group,
    segments::{LONGEST_SEGMENT, next_line, pieces, starts_message},
    syntax::Marks,
};
use super::{Fault, InputFormat, InputNote, NoteSink};

/// The segments that may follow text in a message. Local segments begin with `Z`.
const SEGMENTS: &str = "ABS ACC ADD AIG AIL AIP AIS AL1 APR ARQ ARV AUT BLC BLG BPO BPX BTX CDM CDO CNS CON CSP CSR CSS \
                        CTD CTI CTR DB1 DG1 DMI DRG DSC DSP ERR EVN FAC FT1 GOL GP1 GP2 GT1 IAM IAR IIM ILT IN1 IN2 \
                        IN3 INV IPC IPR ISD ITM IVC IVT LAN MFA MFE MFI MRG MSA NK1 NPU NSC NST NTE OBR OBX ODS ODT OH1 \
                        OH2 OH3 OH4 OM1 ORC ORG OVR PAC PCE PCR PD1 PDA PDC PEO PES PID PKG PM1 PMT PR1 PRA PRB PRC PRD \
                        PRT PSG PSH PSL PSS PTH PV1 PV2 PYE QAK QID QPD QRD QRF RCP RDF RDT REL RF1 RFI RGS RMI ROL RQ1 \
                        RQD RXA RXC RXD RXE RXG RXO RXR RXV SAC SCD SCH SCP SDD SFT SGH SGT SID SLT SPM STF STZ TCC TCD \
                        TQ1 TQ2 TXA UAC UB1 UB2 VAR VND";

/// Returns whether the bytes may name a segment: a letter, then two letters or digits.
fn is_segment_name(name: &[u8]) -> bool {
    matches!(name, [first, rest @ ..] if first.is_ascii_uppercase()
        && rest.len() == 2
        && rest.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()))
}

/// What the next lines belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No message has begun, or one has ended.
    Outside,
    Message(Marks),
    /// Text that was reported already. Lines up to the next message are skipped.
    PassedOver,
}

struct Reader<'a> {
    prefix: &'a str,
    form: &'a InputFormat,
    columns: Columns,
    state: State,
    charset: Charset,
    /// A fault of every note of the message.
    fault: Option<Fault>,
    /// Whether the message is of a kind that always has results.
    must_have_results: bool,
    messages: u64,
    group: Group,
    /// Number of the group within its message, from 1.
    group_number: usize,
    has_order: bool,
    has_common_order: bool,
    given_of_message: u64,
    given: u64,
    /// The segment that may continue in the next line.
    pending: Vec<u8>,
    weight: u64,
}

/// Passes each note to `give`. Returns false if `give` returned false.
pub(super) fn read(mut input: impl BufRead, prefix: &str, form: &InputFormat, give: &mut NoteSink<'_>) -> bool {
    let columns = match Columns::of(form) {
        Ok(columns) => columns,
        Err(why) => return give(InputNote::new(format!("{prefix}message-1"), Err(Fault::text("column", why)), 0)),
    };
    let mut reader = Reader::new(prefix, form, columns);
    let mut line = Vec::new();
    let mut is_first = true;
    loop {
        match next_line(&mut input, &mut line) {
            Ok(None) => return reader.end(give),
            Ok(Some(read)) => {
                if std::mem::take(&mut is_first) && line.starts_with("\u{feff}".as_bytes()) {
                    line.drain(.."\u{feff}".len());
                }
                reader.weight += read.weight;
                for piece in pieces(&line) {
                    if !reader.line(piece, give) {
                        return false;
                    }
                    if reader.messages == 0 && reader.state == State::PassedOver {
                        return true;
                    }
                }
                if (!read.is_whole && !reader.break_off(give)) || (read.ends_message && !reader.end_message(give)) {
                    return false;
                }
            }
            Err(cause) => {
                let fault =
                    Fault::text("readable", format!("It could not be read: {cause}. Nothing after it was read."));
                return reader.fail(fault, give);
            }
        }
    }
}

impl<'a> Reader<'a> {
    fn new(prefix: &'a str, form: &'a InputFormat, columns: Columns) -> Self {
        Self {
            prefix,
            form,
            columns,
            state: State::Outside,
            charset: Charset::Utf8,
            fault: None,
            must_have_results: false,
            messages: 0,
            group: Group::default(),
            group_number: 1,
            has_order: false,
            has_common_order: false,
            given_of_message: 0,
            given: 0,
            pending: Vec::new(),
            weight: 0,
        }
    }

    /// Takes a line, or the part of one up to the next message.
    fn line(&mut self, line: &[u8], give: &mut NoteSink<'_>) -> bool {
        if line.trim_ascii().is_empty() {
            return true;
        }
        let separator = match self.state {
            State::Message(marks) => marks.field as u8,
            State::Outside | State::PassedOver => b'|',
        };
        let ends_name = line.get(3).is_none_or(|&byte| byte == separator);
        let name = line.get(..3).filter(|name| ends_name && is_segment_name(name));
        if starts_message(line) || (name == Some(b"MSH") && line.len() > 3) {
            return self.end_message(give) && self.begin_message(line, give);
        }
        match (self.state, name) {
            (_, Some(b"FHS" | b"BHS" | b"BTS" | b"FTS")) => self.end_message(give),
            (State::PassedOver, _) => true,
            (State::Outside, _) => {
                self.state = State::PassedOver;
                self.weight = 0;
                give(self.outside())
            }
            (State::Message(marks), Some(name)) => {
                let is_known =
                    name.starts_with(b"Z") || SEGMENTS.as_bytes().chunks(4).any(|known| known.starts_with(name));
                if !is_known && self.pending_is_text() {
                    let message = "A line of a text begins like a segment that does not exist. A line end in a text must \
                                   be written \\.br\\, a field separator \\F\\";
                    self.group.fail(Fault::text("hl7", format!("{message}.")));
                    return true;
                }
                let goes_on = self.end_segment(marks, give);
                self.pending.extend_from_slice(line);
                goes_on
            }
            (State::Message(_), None) => {
                if self.pending.is_empty() {
                    self.fault.get_or_insert(Fault::text("hl7", "A line after MSH is not a segment of HL7."));
                } else if self.pending.len() + line.len() > LONGEST_SEGMENT {
                    return self.break_off(give);
                } else {
                    self.pending.push(b'\n');
                    self.pending.extend_from_slice(line);
                }
                true
            }
        }
    }

    /// Returns the fault of text that belongs to no message.
    fn outside(&self) -> InputNote {
        let (place, message) = if self.messages == 0 {
            (1, "The input does not begin with MSH, as HL7 does. Nothing of it was read")
        } else {
            (self.messages, "After this message comes text that belongs to no message. It was not read")
        };
        InputNote::new(format!("{}message-{place}", self.prefix), Err(Fault::text("hl7", format!("{message}."))), 0)
    }

    fn pending_is_text(&self) -> bool {
        self.pending.starts_with(b"OBX") || self.pending.starts_with(b"NTE")
    }

    fn begin_message(&mut self, header: &[u8], give: &mut NoteSink<'_>) -> bool {
        self.messages += 1;
        self.columns.forget(Scope::Message);
        (self.group_number, self.given_of_message, self.fault) = (1, 0, None);
        let Some(marks) = Marks::of(header) else {
            self.state = State::PassedOver;
            let message = "MSH-1 and MSH-2 do not name the marks that divide the message, such as |^~\\&. The message was \
                           not read";
            return self.give(Err(Fault::text("hl7", format!("{message}."))), give);
        };
        self.state = State::Message(marks);
        // The character set is ASCII, so the header can be read before it is known.
        let ascii = String::from_utf8_lossy(header);
        let charset = marks.repetitions(marks.field(&ascii, 18)).next().map(Charset::named);
        self.charset = Charset::Utf8;
        match charset {
            // The operator said how to decode the input, so it is UTF-8 by now.
            _ if self.form.encoding.is_some() => {}
            Some(Ok(charset)) => self.charset = charset,
            Some(Err(fault)) => self.fault = Some(fault),
            None => {}
        }
        let header = self.charset.text(header).unwrap_or(ascii);
        let kind = marks.field(&header, 9);
        self.must_have_results = matches!(marks.component(kind, 1).trim(), "ORU" | "MDM");
        if marks.component(kind, 1).trim() == "MDM" && marks.component(kind, 2).trim() == "T11" {
            self.fault.get_or_insert(Fault::text("withdrawn", "The message withdraws a document (MDM T11)."));
        }
        if !marks.field(&header, 14).trim().is_empty() {
            self.fault.get_or_insert(incomplete());
        }
        self.columns.note(&header, marks);
        true
    }

    /// Reads the segment that is complete now.
    fn end_segment(&mut self, marks: Marks, give: &mut NoteSink<'_>) -> bool {
        let bytes = std::mem::take(&mut self.pending);
        let is_decoded = self.charset.text(&bytes);
        let is_faulty = is_decoded.is_none();
        let segment = is_decoded.unwrap_or_else(|| String::from_utf8_lossy(&bytes));
        let name = segment.get(..3).unwrap_or_default();
        let has_group = self.has_order || self.group.results > 0;
        let starts_group = match name {
            "PID" => true,
            "ORC" => has_group || self.has_common_order,
            "OBR" => has_group,
            _ => false,
        };
        if starts_group && !self.end_group(give) {
            return false;
        }
        if is_faulty {
            let fault = self.charset.fault();
            match name {
                "OBR" | "OBX" | "NTE" => self.group.fail(fault),
                _ => drop(self.fault.get_or_insert(fault)),
            }
        }
        if name == "PID" {
            self.columns.forget(Scope::Patient);
        }
        self.columns.note(&segment, marks);
        let longest = self.form.longest;
        match name {
            "ORC" => self.has_common_order = true,
            "OBR" => {
                self.has_order = true;
                if marks.field(&segment, 25).trim() == "X" {
                    self.group.withdraw();
                }
            }
            "TXA" if matches!(marks.field(&segment, 19).trim(), "CA" | "OB") => self.group.withdraw(),
            "OBX" => self.group.observation(&segment, marks, self.charset, longest),
            "NTE" if has_group => self.group.comment(&segment, marks, self.charset, longest),
            "ADD" => self.group.fail(incomplete()),
            "DSC" if !marks.field(&segment, 1).trim().is_empty() => self.group.fail(incomplete()),
            _ => {}
        }
        true
    }

    fn end_group(&mut self, give: &mut NoteSink<'_>) -> bool {
        let group = std::mem::take(&mut self.group);
        let text = group.finish();
        let counts = self.has_order || text.is_some();
        let goes_on = text.is_none_or(|text| self.give(text, give));
        self.group_number += usize::from(counts);
        (self.has_order, self.has_common_order) = (false, false);
        self.columns.forget(Scope::Group);
        goes_on
    }

    fn end_message(&mut self, give: &mut NoteSink<'_>) -> bool {
        if let State::Message(marks) = self.state {
            if !self.end_segment(marks, give) || !self.end_group(give) {
                return false;
            }
            if self.given_of_message == 0 && self.must_have_results {
                self.group_number = 1;
                let fault = Fault::text("required", "The message has no result (OBX): it has no text to read.");
                if !self.give(Err(fault), give) {
                    return false;
                }
            }
        }
        self.state = State::Outside;
        true
    }

    /// Discards the message: its lines up to the next message are skipped.
    fn break_off(&mut self, give: &mut NoteSink<'_>) -> bool {
        self.pending = Vec::new();
        if !matches!(self.state, State::Message(_)) {
            return true;
        }
        self.state = State::PassedOver;
        let message =
            "A segment is longer than 8 MiB. Nothing after it was read up to the next line that begins with MSH";
        self.group.fail(Fault::text("max_length", format!("{message}.")));
        self.end_group(give)
    }

    fn fail(&mut self, fault: Fault, give: &mut NoteSink<'_>) -> bool {
        self.give(Err(fault), give)
    }

    fn end(&mut self, give: &mut NoteSink<'_>) -> bool {
        if !self.end_message(give) {
            return false;
        }
        if self.given > 0 {
            return true;
        }
        let message = "No message of the input has a result (OBX). There is no note in it";
        self.messages = self.messages.max(1);
        self.give(Err(Fault::text("required", format!("{message}."))), give)
    }

    fn give(&mut self, text: Result<String, Fault>, give: &mut NoteSink<'_>) -> bool {
        let Self { prefix, form, group_number: group, messages, .. } = *self;
        let place = match group {
            1 => format!("{prefix}message-{messages}"),
            _ => format!("{prefix}message-{messages}/{group}"),
        };
        let id = match self.columns.id(group) {
            None if !form.ids.is_empty() => {
                Err(Fault::id("required", format!("The message has no `{}`.", form.ids.join("`, `"))))
            }
            id => Ok(id),
        };
        let patient = match self.columns.patient() {
            Ok(patient) => form.patient_of(patient.map(str::to_owned)),
            Err(()) if form.patient.is_none() => Ok(None),
            Err(()) => {
                let message = "The number of the patient (PID-3) is of another authority than that of the first one: one \
                               number may name two patients. Read the messages of each authority by themselves, or name \
                               a field with --patient-column, such as PID-3.1";
                Err(Fault::of("patient", "authority", format!("{message}.")))
            }
        };
        let note_date = form.date_of(self.columns.date().as_deref());
        let text = match &self.fault {
            Some(fault) => Err(fault.clone()),
            None => text,
        };
        self.given += 1;
        self.given_of_message += 1;
        let (carried, weight) = (self.columns.carried(), std::mem::take(&mut self.weight));
        give(InputNote { id, place, text, patient, note_date, carried, warning: None, weight })
    }
}

fn incomplete() -> Fault {
    let message = "The message is one part of a longer one (MSH-14, ADD or DSC). Put the parts together first";
    Fault::text("incomplete", format!("{message}."))
}
