//! The length of a WAV file. Its header must agree with itself and with the bytes that are there.

use super::AudioFault;

/// Sample codings: PCM, floating point, A-law, mu-law, and any of them by an extended header.
const CODINGS: [u16; 5] = [0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE];
/// Lengths from here on, and zero, are what programs write that cannot know the length yet: `ffmpeg`, `espeak-ng`. No
/// accepted recording is that long.
const UNKNOWN_LENGTH: usize = 0x7FFF_F000;

/// Returns the seconds that the file plays.
pub(super) fn length(bytes: &[u8]) -> Result<f64, AudioFault> {
    if bytes.get(8..12) != Some(b"WAVE") {
        return Err(AudioFault::Unknown);
    }
    let mut at = 12;
    let mut bytes_a_second = None;
    while let Some(header) = bytes.get(at..at + 8) {
        let (name, size) = header.split_at(4);
        let size = number(size, 0, 4).ok_or(AudioFault::Damaged)?;
        let body = bytes.get(at + 8..).unwrap_or_default();
        match name {
            b"fmt " => bytes_a_second = Some(rate(body.get(..size).ok_or(AudioFault::Damaged)?)?),
            b"data" => {
                let rate = bytes_a_second.ok_or(AudioFault::Damaged)?;
                let is_unknown = size == 0 || size >= UNKNOWN_LENGTH;
                let samples = if is_unknown { body.len() } else { size };
                let whole = body.len() >= samples;
                return if whole { Ok(seconds(samples, rate)) } else { Err(AudioFault::Damaged) };
            }
            _ => {}
        }
        // A chunk of odd size has a byte of padding after it.
        at = at.saturating_add(8).saturating_add(size).saturating_add(size % 2);
    }
    Err(AudioFault::Damaged)
}

/// Returns the bytes of a second of sound.
fn rate(format: &[u8]) -> Result<usize, AudioFault> {
    let number = |at, length| number(format, at, length).ok_or(AudioFault::Damaged);
    let (coding, channels, samples) = (number(0, 2)?, number(2, 2)?, number(4, 4)?);
    let (stated, block, bits) = (number(8, 4)?, number(12, 2)?, number(14, 2)?);
    if !CODINGS.iter().any(|known| usize::from(*known) == coding) {
        return Err(AudioFault::NotSpeech);
    }
    let possible =
        (1..=8).contains(&channels) && (1_000..=384_000).contains(&samples) && matches!(bits, 8 | 16 | 24 | 32 | 64);
    let agrees = block == channels * bits / 8 && stated == samples * block;
    if possible && agrees { Ok(stated) } else { Err(AudioFault::Damaged) }
}

#[expect(clippy::cast_precision_loss, reason = "a body of at most some MiB")]
fn seconds(samples: usize, rate: usize) -> f64 {
    samples as f64 / rate as f64
}

/// Returns a number of at most four bytes, the smallest first.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + length)?;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte)))
}
