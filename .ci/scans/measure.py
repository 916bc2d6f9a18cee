"""Reads drawn letters through the gateway and a real tesseract, and checks the answers.

    measure.py GATEWAY_URL SLOW_GATEWAY_URL LETTERS

Prints how many words are read rightly, and how many of the wrong ones are marked. The OCR server of the slow gateway has
eight seconds for a scan.
"""

import difflib
import json
import pathlib
import random
import sys
import time
import urllib.error
import urllib.request

import draw
from PIL import Image

FIELDS = {"cancer_type", "stage", "gene_mutation", "biomarker", "treatment", "response", "metastasis_site"}
# The lines below a heading that says that nothing of it is given.
PLANNED = {"carboplatin", "pemetrexed", "radiosurgery", "denosumab", "docetaxel", "cyclophosphamide", "radiotherapy",
           "letrozole", "folfiri", "resection", "oxaliplatin"}
LEAST_CLEAN = 0.98
# Of the words that a bad scan gets wrong, so many are marked at least.
LEAST_MARKED = 0.6
# The gateway's own limit, and some time for a busy machine.
LONGEST = 120


def post(url: str, body: bytes, kind: str) -> tuple[int, dict]:
    """The status and the JSON of an answer."""
    request = urllib.request.Request(url, body, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=LONGEST) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def read(url: str, scan: bytes) -> dict:
    """The text of a scan, sent as a form, and checked."""
    head = b'--AsRtEsT\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    status, answer = post(f"{url}/api/v1/scan", head + scan + b"\r\n--AsRtEsT--\r\n", "multipart/form-data; boundary=AsRtEsT")
    assert status == 200, answer
    assert answer["needs_review"] is True and answer["ocr"].startswith("tesseract ") and not FIELDS & set(answer), answer
    text = answer["transcript"]
    for mark in answer["words_to_review"]:
        assert text[mark["start"]:mark["end"]] == mark["text"], mark
    assert " ".join(text[word["start"]:word["end"]] for word in answer["words"]).split() == text.split()
    assert all(0 <= word["confidence"] <= 1 for word in answer["words"])
    assert [text[line["start"]:line["end"]] for line in answer["lines"]] == [line for line in text.replace("\f", "\n").split("\n") if line]
    return answer


def treatment(url: str, text: str) -> str:
    """The treatment in the record of a text that nobody has corrected."""
    status, record = post(f"{url}/api/v1/extract", json.dumps({"text": text}).encode(), "application/json")
    assert status == 200, record
    return record["treatment"] or ""


def compared(letter: str, answer: dict) -> tuple[int, int, int]:
    """How many words of a letter there are, how many are read rightly, and how many wrong words stand in the text unmarked."""
    true, words = letter.split(), answer["words"]
    text = answer["transcript"]
    seen = [text[word["start"]:word["end"]] for word in words]
    marks = [(mark["start"], mark["end"]) for mark in answer["words_to_review"]]
    right, unmarked = 0, 0
    matcher = difflib.SequenceMatcher(None, true, seen, autojunk=False)
    for kind, start, end, first, last in matcher.get_opcodes():
        if kind == "equal":
            right += end - start
            continue
        for word in words[first:last]:
            unmarked += not any(word["start"] < stop and word["end"] > begin for begin, stop in marks)
    return len(true), right, unmarked


def check_letters(url: str, letters: list[str]) -> str:
    """Letters on clean and bad pages."""
    told = []
    forms = {
        "clean": lambda page, _: draw.saved(page, "PNG", dpi=(150, 150)),
        "fax": lambda page, _: draw.saved(draw.coarse(page), "TIFF", compression="group4" if page.mode == "1" else "tiff_lzw"),
        "worn": lambda page, seed: draw.saved(draw.noisy(page, seed), "JPEG", quality=45),
    }
    for name, form in forms.items():
        all_words = all_right = all_unmarked = 0
        for seed, letter in enumerate(letters):
            answer = read(url, form(draw.page(letter), seed))
            words, right, unmarked = compared(letter, answer)
            all_words, all_right, all_unmarked = all_words + words, all_right + right, all_unmarked + unmarked
            given = treatment(url, answer["transcript"])
            assert not any(drug in given.lower() for drug in PLANNED), (name, seed, given)
            if name == "clean":
                assert given == treatment(url, letter) != "", (seed, given)
        wrong = all_words - all_right
        told.append(f"{name} {all_right} of {all_words} words right, {all_unmarked} wrong and unmarked")
        assert name != "clean" or all_right >= LEAST_CLEAN * all_words, told
        assert wrong < 5 or all_unmarked <= (1 - LEAST_MARKED) * wrong, told
    return "; ".join(told)


def check_headings(url: str, letters: list[str]) -> None:
    """A heading that is damaged on the page is marked, and what stands below it is not given."""
    for damaged in ["Plan;", "Plan.", "PIan:", "P1an:"]:
        letter = letters[0].replace("Plan:", damaged)
        answer = read(url, draw.saved(draw.page(letter), "PNG", dpi=(150, 150)))
        text = answer["transcript"]
        assert "Plan:" not in text or damaged == "PIan:", text
        marks = [mark["text"] for mark in answer["words_to_review"] if mark["reason"] == "heading"]
        assert len(marks) == 1 or ("Plan:" in text and not marks), (damaged, marks, text)
        given = treatment(url, text).lower()
        assert "osimertinib" in given and not any(drug in given for drug in PLANNED), (damaged, given)


def check_pages(url: str, letters: list[str]) -> None:
    """The pages of a PDF and of a TIFF, an empty one among them."""
    for form in ["PDF", "TIFF"]:
        first, *more = [draw.page(letters[0]), Image.new("L", draw.SIZE, 255), draw.page(letters[1])]
        answer = read(url, draw.saved(first, form, save_all=True, append_images=more))
        assert (answer["pages"], answer["pages_without_text"]) == (3, [2]), answer
        pages = answer["transcript"].split("\f")
        assert len(pages) == 3 and "Osimertinib" in pages[0] and not pages[1].strip() and "lumpectomy" in pages[2], pages


def check_bad_input(url: str, slow: str, letter: str) -> str:
    """What is no scan, what breaks off, what is made to harm, and what takes too long."""
    page = draw.saved(draw.page(letter), "PNG")
    jpeg = draw.saved(draw.page(letter), "JPEG")
    whole = draw.saved(draw.page(letter), "PDF")
    middle = bytearray(page)
    middle[len(page) // 2:len(page) // 2 + 300] = bytes(300)
    for what, scan, status, code in [
        ("a text", b"Stage IV lung cancer", 415, "unsupported_media_type"),
        ("a name of a file", b"/etc/hostname\n", 415, "unsupported_media_type"),
        ("a video", b"\0\0\0\x18ftypmp42", 415, "unsupported_media_type"),
        ("half a PNG", page[:len(page) // 2], 422, "invalid_request"),
        ("half a JPEG", jpeg[:len(jpeg) // 2], 422, "invalid_request"),
        ("half a PDF", whole[:len(whole) // 2], 422, "invalid_request"),
        ("a damaged PNG", bytes(middle), 422, "invalid_request"),
        ("a PNG of nothing but noise", b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(5_000) + b"IEND", 422, "invalid_request"),
        ("a PDF of nothing but noise", b"%PDF-1.7\n" + random.Random(2).randbytes(5_000) + b"\n%%EOF", 422, "invalid_request"),
        ("an empty page", draw.saved(Image.new("L", draw.SIZE, 255), "PNG"), 422, "no_text"),
        ("11 MB", page + bytes(11 << 20), 413, "body_too_large"),
    ]:
        got, answer = post(f"{url}/api/v1/scan", scan, "application/octet-stream")
        assert (got, answer["code"]) == (status, code), (what, got, answer)
    longest = 0.0
    for make in draw.BOMBS:
        what, bomb = make.__doc__, make()
        began = time.monotonic()
        got, answer = post(f"{slow}/api/v1/scan", bomb, "application/octet-stream")
        longest = max(longest, time.monotonic() - began)
        assert got in (422, 504) and longest < 30, (what, got, longest, answer)
    pages = [draw.page(letter)] * 60
    many = draw.saved(pages[0], "PDF", save_all=True, append_images=pages[1:])
    got, answer = post(f"{slow}/api/v1/scan", many, "application/pdf")
    assert (got, answer["code"]) == (504, "deadline_exceeded"), (got, answer)
    # The server is whole after all of this.
    assert "Osimertinib" in read(url, page)["transcript"]
    return f"the slowest bomb was answered after {longest:.0f} s"


def main() -> None:
    """Checks everything."""
    url, slow, file = sys.argv[1:]
    letters = [letter.strip() for letter in pathlib.Path(file).read_text().split("====")]
    told = check_letters(url, letters)
    check_headings(url, letters)
    check_pages(url, letters)
    print(f"{told}; {check_bad_input(url, slow, letters[0])}", file=sys.stderr)


if __name__ == "__main__":
    main()
