//! Judges a recording by its bytes, never by its name or its declared type: which container it is, whether it is whole,
//! and how long it plays. Nothing is decoded; that is the transcription server's work.

mod mp3;
mod wav;
mod webm;

use std::time::Duration;

/// The container of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioFormat {
    /// RIFF with uncompressed or logarithmic samples.
    Wav,
    /// MPEG audio, layer III.
    Mp3,
    /// `WebM` with sound and without pictures.
    Webm,
}

/// A recording that was checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Audio {
    /// The container.
    pub format: AudioFormat,
    /// How long it plays, by what its container says.
    pub length: Duration,
}

/// Why a recording is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioFault {
    /// The bytes are none of the three containers.
    Unknown,
    /// The container has pictures, or samples in a coding that is not read.
    NotSpeech,
    /// The container is damaged: it breaks off, or its header contradicts itself.
    Damaged,
    /// It plays no time at all.
    Empty,
    /// It plays longer than is allowed.
    TooLong,
}

impl AudioFormat {
    /// Returns the media type.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Mp3 => "audio/mpeg",
            Self::Webm => "audio/webm",
        }
    }

    /// Returns a file name, from whose ending transcription servers take the format.
    pub(super) fn file_name(self) -> &'static str {
        match self {
            Self::Wav => "speech.wav",
            Self::Mp3 => "speech.mp3",
            Self::Webm => "speech.webm",
        }
    }
}

impl Audio {
    /// Checks a recording, which may play at most `longest`.
    pub fn check(bytes: &[u8], longest: Duration) -> Result<Self, AudioFault> {
        let (format, length) = if bytes.starts_with(b"RIFF") {
            (AudioFormat::Wav, wav::length(bytes))
        } else if bytes.starts_with(&webm::MAGIC) {
            (AudioFormat::Webm, webm::length(bytes))
        } else {
            (AudioFormat::Mp3, mp3::length(bytes))
        };
        let length = Duration::try_from_secs_f64(length?).map_err(|_| AudioFault::Damaged)?;
        match length {
            Duration::ZERO => Err(AudioFault::Empty),
            length if length > longest => Err(AudioFault::TooLong),
            length => Ok(Self { format, length }),
        }
    }
}

#[cfg(test)]
mod tests;
