use super::*;

const LONGEST: Duration = Duration::from_mins(1);

/// Returns a WAV file of silence, 16 kHz, 16 bits, one channel.
fn wav(milliseconds: u32) -> Vec<u8> {
    let samples = milliseconds * 32;
    let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\x00\x7d\0\0\x02\0\x10\0data".to_vec();
    bytes.extend(samples.to_le_bytes());
    bytes.resize(bytes.len() + samples as usize, 0);
    bytes
}

/// Returns frames of silence: MPEG-2 layer III, 16 kHz, 32 kbit/s, 36 ms each.
fn mp3(frames: usize) -> Vec<u8> {
    let mut frame = vec![0xff, 0xf3, 0x48, 0xc4];
    frame.resize(144, 0);
    frame.repeat(frames)
}

/// Returns an element with a size of one byte.
fn element(id: &[u8], body: &[u8]) -> Vec<u8> {
    [id, &[0x80 | u8::try_from(body.len()).unwrap()], body].concat()
}

/// Returns what a browser's recorder writes: no length, and sizes that are not known.
fn webm(doc_type: &[u8], track_type: u8, seconds: u16) -> Vec<u8> {
    let unknown: &[u8] = &[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let mut bytes = element(&MAGIC_OF_WEBM, &element(&[0x42, 0x82], doc_type));
    bytes.extend([&[0x18, 0x53, 0x80, 0x67], unknown].concat());
    let track = element(&[0xae], &element(&[0x83], &[track_type]));
    bytes.extend(element(&[0x16, 0x54, 0xae, 0x6b], &track));
    for second in 0..seconds {
        bytes.extend([&[0x1f, 0x43, 0xb6, 0x75], unknown].concat());
        bytes.extend(element(&[0xe7], &(u32::from(second) * 1_000).to_be_bytes()));
        bytes.extend(element(&[0xa3], &[0x81, 0x03, 0xe8, 0x80, 1, 2, 3]));
    }
    bytes
}

const MAGIC_OF_WEBM: [u8; 4] = webm::MAGIC;

fn check(bytes: &[u8]) -> Result<(AudioFormat, u128), AudioFault> {
    Audio::check(bytes, LONGEST).map(|audio| (audio.format, audio.length.as_millis()))
}

#[test]
fn recordings_are_known_by_their_bytes_and_have_a_length() {
    let with_tag = [&b"ID3\x04\0\0\0\0\0\x03abc"[..], &mp3(100), b"TAG and what a player adds"].concat();
    let [mut streamed, mut piped] = [wav(2_000), wav(2_000)];
    streamed[40..44].copy_from_slice(&[0xff; 4]);
    piped[40..44].copy_from_slice(&[0x00, 0xf0, 0xff, 0x7f]);
    for (bytes, expected) in [
        (wav(1_500), Ok((AudioFormat::Wav, 1_500))),
        (streamed, Ok((AudioFormat::Wav, 2_000))),
        (piped, Ok((AudioFormat::Wav, 2_000))),
        (mp3(100), Ok((AudioFormat::Mp3, 3_600))),
        (with_tag, Ok((AudioFormat::Mp3, 3_600))),
        (webm(b"webm", 2, 3), Ok((AudioFormat::Webm, 3_000))),
        (wav(0), Err(AudioFault::Empty)),
        (wav(61_000), Err(AudioFault::TooLong)),
        (mp3(2_000), Err(AudioFault::TooLong)),
        (webm(b"webm", 2, 62), Err(AudioFault::TooLong)),
        (webm(b"webm", 1, 3), Err(AudioFault::NotSpeech)),
        (webm(b"matroska", 2, 3), Err(AudioFault::Unknown)),
        (wav(1_000)[..20_000].to_vec(), Err(AudioFault::Damaged)),
        (wav(1_000)[..30].to_vec(), Err(AudioFault::Damaged)),
        (mp3(2), Err(AudioFault::Unknown)),
        (b"RIFF\0\0\0\0AVI LIST".to_vec(), Err(AudioFault::Unknown)),
        (b"\0\0\0\x20ftypisom".to_vec(), Err(AudioFault::Unknown)),
        (b"%PDF-1.7\n".to_vec(), Err(AudioFault::Unknown)),
        (b"OggS".to_vec(), Err(AudioFault::Unknown)),
        (Vec::new(), Err(AudioFault::Unknown)),
    ] {
        assert_eq!(check(&bytes), expected, "{:?}", &bytes[..bytes.len().min(60)]);
    }
}

#[test]
fn a_wav_header_that_contradicts_itself_is_refused() {
    for (at, value, expected) in [
        (20, 0x55, AudioFault::NotSpeech),
        (22, 0, AudioFault::Damaged),
        (22, 2, AudioFault::Damaged),
        (24, 1, AudioFault::Damaged),
        (28, 1, AudioFault::Damaged),
        (34, 13, AudioFault::Damaged),
        (43, 0x7f, AudioFault::Damaged),
    ] {
        let mut bytes = wav(1_000);
        bytes[at] = value;
        assert_eq!(check(&bytes), Err(expected), "{at}");
    }
}

#[test]
fn random_bytes_and_cut_recordings_are_judged_and_never_panic() {
    fastrand::seed(20);
    let whole = [wav(100), mp3(5), webm(b"webm", 2, 3)];
    for _ in 0..3_000 {
        let mut bytes: Vec<u8> = (0..fastrand::usize(..200)).map(|_| fastrand::u8(..)).collect();
        assert!(check(&bytes).is_err());
        bytes = whole[fastrand::usize(..3)].clone();
        bytes.truncate(fastrand::usize(..bytes.len()));
        let _ = check(&bytes);
        if let Some(byte) = bytes.get_mut(fastrand::usize(..60)) {
            *byte = fastrand::u8(..);
        }
        let _ = check(&bytes);
    }
}
