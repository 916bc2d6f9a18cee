//! The length of a `WebM` file, from the times of its blocks. Recorders in browsers write neither a length nor sizes.

use super::AudioFault;

/// The bytes that an EBML file begins with.
pub(super) const MAGIC: [u8; 4] = [0x1a, 0x45, 0xdf, 0xa3];

const DOC_TYPE: u32 = 0x4282;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_a966;
const TIME_SCALE: u32 = 0x002a_d7b1;
const DURATION: u32 = 0x4489;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK: u32 = 0xae;
const TRACK_TYPE: u32 = 0x83;
const CLUSTER: u32 = 0x1f43_b675;
const CLUSTER_TIME: u32 = 0xe7;
const BLOCK_GROUP: u32 = 0xa0;
const BLOCK: u32 = 0xa1;
const SIMPLE_BLOCK: u32 = 0xa3;
const EBML: u32 = 0x1a45_dfa3;

const SOUND: u64 = 2;
/// Nanoseconds of a tick where the file does not state it.
const USUAL_SCALE: u64 = 1_000_000;

/// What the elements of a file say.
#[derive(Default)]
struct Facts {
    is_webm: bool,
    scale: Option<u64>,
    /// Ticks, as stated.
    stated: f64,
    cluster: u64,
    /// Ticks of the last block.
    last: u64,
    sound: u32,
    other: u32,
}

/// Returns the seconds that the file plays.
pub(super) fn length(bytes: &[u8]) -> Result<f64, AudioFault> {
    let mut facts = Facts::default();
    let mut at = 0;
    while at < bytes.len() {
        let (id, size, body) = element(bytes, at).ok_or(AudioFault::Damaged)?;
        // Containers are entered: their elements are read one after the other, as if they were not nested.
        if matches!(id, EBML | SEGMENT | INFO | TRACKS | TRACK | CLUSTER | BLOCK_GROUP) {
            at = body;
            continue;
        }
        let size = size.ok_or(AudioFault::Damaged)?;
        let end = body.checked_add(size).filter(|end| *end <= bytes.len()).ok_or(AudioFault::Damaged)?;
        facts.add(id, bytes.get(body..end).unwrap_or_default());
        at = end;
        if id == DOC_TYPE && !facts.is_webm {
            return Err(AudioFault::Unknown);
        }
    }
    if !facts.is_webm {
        return Err(AudioFault::Unknown);
    }
    if facts.other > 0 || facts.sound == 0 {
        return Err(AudioFault::NotSpeech);
    }
    #[expect(clippy::cast_precision_loss, reason = "times far below 2^52 ticks")]
    let (last, scale) = (facts.last as f64, facts.scale.unwrap_or(USUAL_SCALE) as f64);
    Ok(last.max(facts.stated) * scale / 1e9)
}

impl Facts {
    fn add(&mut self, id: u32, body: &[u8]) {
        match id {
            DOC_TYPE => self.is_webm = body.trim_ascii_end() == b"webm",
            TIME_SCALE => self.scale = number(body).filter(|scale| *scale > 0),
            DURATION => self.stated = float(body).filter(|ticks| *ticks >= 0.0).unwrap_or_default(),
            TRACK_TYPE if number(body) == Some(SOUND) => self.sound += 1,
            TRACK_TYPE => self.other += 1,
            CLUSTER_TIME => {
                self.cluster = number(body).unwrap_or_default();
                self.last = self.last.max(self.cluster);
            }
            // A block begins with the number of its track, then its time within the cluster.
            SIMPLE_BLOCK | BLOCK => {
                let time = variable(body, 0, true).and_then(|(_, end)| body.get(end..end + 2));
                if let Some(&[high, low]) = time {
                    let ticks = i64::from(i16::from_be_bytes([high, low]));
                    self.last = self.last.max(self.cluster.saturating_add_signed(ticks));
                }
            }
            _ => {}
        }
    }
}

/// Returns an element's id, its size if it is known, and the offset of its body.
fn element(bytes: &[u8], at: usize) -> Option<(u32, Option<usize>, usize)> {
    let (id, behind_id) = variable(bytes, at, false)?;
    let (size, body) = variable(bytes, behind_id, true)?;
    let unknown = size == (1 << (7 * (body - behind_id))) - 1;
    let size = if unknown { None } else { Some(usize::try_from(size).ok()?) };
    Some((u32::try_from(id).ok()?, size, body))
}

/// Returns a number of EBML, whose first byte says how long it is, and the offset after it. Ids keep that mark.
fn variable(bytes: &[u8], at: usize, without_mark: bool) -> Option<(u64, usize)> {
    let first = *bytes.get(at)?;
    let length = usize::try_from(first.leading_zeros()).ok()? + 1;
    let end = at.checked_add(length).filter(|_| length <= 8)?;
    let value = number(bytes.get(at..end)?)?;
    Some((if without_mark { value & !(1 << (7 * length)) } else { value }, end))
}

fn number(body: &[u8]) -> Option<u64> {
    (body.len() <= 8).then(|| body.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

fn float(body: &[u8]) -> Option<f64> {
    let value = match body.len() {
        4 => f64::from(f32::from_be_bytes(body.try_into().ok()?)),
        8 => f64::from_be_bytes(body.try_into().ok()?),
        _ => return None,
    };
    value.is_finite().then_some(value)
}
