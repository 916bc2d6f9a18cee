"""Speaks made-up sentences to Whisper, without the gateway and through it, and checks what the gateway answers.

    measure.py GATEWAY_URL SERVER_URL SENTENCES

Prints how many oncology words are heard without the vocabulary and with it; fails below 1.5 times as many.
"""

import io
import json
import pathlib
import re
import subprocess
import sys
import urllib.error
import urllib.request
import wave

LEAST_GAIN = 1.5
FIELDS = {"cancer_type", "stage", "gene_mutation", "biomarker", "treatment", "response", "metastasis_site"}


def form(file: bytes) -> tuple[bytes, str]:
    """The file in a form, as the clients of OpenAI's API send it."""
    head = b'--AsRtEsT\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    return head + file + b"\r\n--AsRtEsT--\r\n", "multipart/form-data; boundary=AsRtEsT"


def post(url: str, body: bytes, kind: str) -> tuple[int, dict]:
    """The status and the JSON of an answer."""
    request = urllib.request.Request(url, body, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def spoken(text: str) -> bytes:
    """A recording of a text."""
    return subprocess.run(["espeak-ng", "-v", "en-us", "-s", "150", "--stdout", text], capture_output=True, check=True).stdout


def letters(text: str) -> str:
    """The letters and digits of a text."""
    return re.sub("[^a-z0-9]", "", text.lower())


def check(answer: dict, words: list[str]) -> None:
    """An answer is for review, is no record, and its marks stand where they say."""
    assert answer["needs_review"] is True and not FIELDS & set(answer), answer
    text = answer["transcript"]
    for mark in answer["words_to_review"]:
        assert text[mark["start"]:mark["end"]] == mark["text"], mark
    marked = letters(" ".join(mark["text"] for mark in answer["words_to_review"]))
    for word in words:
        assert letters(word) not in letters(text) or letters(word) in marked or word in ("melanoma", "adenocarcinoma"), word


def main() -> None:
    """Measures and checks."""
    gateway, server, path = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    lines = [line.split(" | ") for line in path.read_text().splitlines() if line and not line.startswith("#")]
    without = with_vocabulary = total = 0
    for text, words in ((text, words.split(", ")) for text, words in lines):
        recording = spoken(text)
        status, plain = post(f"{server}/v1/audio/transcriptions", *form(recording))
        assert status == 200, plain
        status, answer = post(f"{gateway}/api/v1/transcribe", *form(recording))
        assert status == 200, answer
        check(answer, words)
        heard = letters(" ".join(segment["text"] for segment in answer["segments"]))
        without += sum(letters(word) in letters(plain["text"]) for word in words)
        with_vocabulary += sum(letters(word) in heard for word in words)
        total += len(words)
        print(answer["transcript"])
    status, answer = post(f"{gateway}/api/v1/transcribe", spoken("Stage four."), "audio/wav")
    assert status == 200, answer
    silence = io.BytesIO()
    with wave.open(silence, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes(bytes(10 * 32_000))
    status, answer = post(f"{gateway}/api/v1/transcribe", *form(silence.getvalue()))
    # Whisper invents words in silence. Then all of them must be marked.
    is_marked = all(segment["review"] for segment in answer.get("segments", []))
    assert answer.get("code") == "no_speech" or is_marked, answer
    assert with_vocabulary >= LEAST_GAIN * max(without, 1), (without, with_vocabulary)
    print(f"oncology words heard: {without} of {total} without the vocabulary, {with_vocabulary} with it; silence: {status}",
          file=sys.stderr)


if __name__ == "__main__":
    main()
