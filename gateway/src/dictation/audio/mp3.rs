//! The length of an MP3 file: the sum of its frames, whose headers it walks over.

use super::AudioFault;

/// Frames that must follow each other before bytes count as MP3. Two random headers in a row are not rare enough.
const LEAST_FRAMES: u32 = 3;
/// Most bytes without a frame that are skipped: a picture, a tag, a transmission fault.
const MOST_SKIPPED: usize = 1 << 20;
/// Kilobits a second by the index in the header: MPEG-1 layer III, then MPEG-2 and 2.5.
const KILOBITS: [[usize; 15]; 2] = [
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
const SAMPLES_A_SECOND: [usize; 3] = [44_100, 48_000, 32_000];

/// One frame: its bytes, its seconds, and what may not change within a file.
struct Frame {
    bytes: usize,
    seconds: f64,
    kind: (u8, u8),
}

/// Returns the seconds that the file plays.
pub(super) fn length(bytes: &[u8]) -> Result<f64, AudioFault> {
    let mut at = behind_tag(bytes);
    let first = frame(bytes, at).ok_or(AudioFault::Unknown)?;
    let (mut seconds, mut frames, mut skipped) = (0.0, 0, 0);
    while at < bytes.len() {
        match frame(bytes, at).filter(|frame| frame.kind == first.kind) {
            Some(frame) => {
                if at.saturating_add(frame.bytes) > bytes.len() {
                    // The last frame may be cut off.
                    break;
                }
                seconds += frame.seconds;
                frames += 1;
                at += frame.bytes;
            }
            None if frames < LEAST_FRAMES => return Err(AudioFault::Unknown),
            None => {
                skipped += 1;
                at += 1;
                if skipped > MOST_SKIPPED {
                    return Err(AudioFault::Damaged);
                }
            }
        }
    }
    if frames < LEAST_FRAMES { Err(AudioFault::Unknown) } else { Ok(seconds) }
}

/// Returns the offset after an ID3 tag at the beginning.
fn behind_tag(bytes: &[u8]) -> usize {
    let Some([b'I', b'D', b'3', _, _, _, size @ ..]) = bytes.get(..10) else { return 0 };
    10 + size.iter().fold(0, |value, byte| value << 7 | usize::from(byte & 0x7f))
}

fn frame(bytes: &[u8], at: usize) -> Option<Frame> {
    let header: &[u8] = bytes.get(at..at.checked_add(4)?)?;
    let [0xff, second, third, _] = *header else { return None };
    let (version, layer) = (second >> 3 & 3, second >> 1 & 3);
    if second & 0xe0 != 0xe0 || version == 1 || layer != 1 {
        return None;
    }
    let is_first = version == 3;
    let kilobits = *KILOBITS.get(usize::from(!is_first))?.get(usize::from(third >> 4))?;
    let shift = match version {
        3 => 0,
        2 => 1,
        _ => 2,
    };
    let rate = SAMPLES_A_SECOND.get(usize::from(third >> 2 & 3))? >> shift;
    if kilobits == 0 {
        return None;
    }
    let samples = if is_first { 1_152 } else { 576 };
    let padding = usize::from(third >> 1 & 1);
    let seconds = f64::from(samples) / f64::from(u32::try_from(rate).ok()?);
    let bytes = if is_first { 144 } else { 72 } * kilobits * 1_000 / rate + padding;
    Some(Frame { bytes, seconds, kind: (version, third >> 2 & 3) })
}
