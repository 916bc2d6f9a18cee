"""Hostile callers, for `run` and `soak`: costly notes, endless bodies and lines, and answers that are not read."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from functools import cache
from typing import TypeAlias

from harness import EXTRACT, NOTE

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter

BATCH = f"{EXTRACT}/batch"
# The default limits of a note (characters) and a body (bytes).
NOTE_CHARS = 100_000
BODY_BYTES = 2 << 20
LINE = json.dumps({"text": NOTE}).encode() + b"\n"

GENES = "ALK BRAF EGFR KRAS NRAS TP53 BRCA1 BRCA2 PIK3CA MET RET ROS1 ERBB2 NTRK1 IDH1 KIT".split()
VARIANTS = "V600E L858R G12C G12D T790M E545K H1047R R132H D816V exon 19 deletion".split()
SITES = "liver, bone, brain, lung, adrenal glands, peritoneum".split(", ")


@cache
def worst_notes() -> list[bytes]:
    """Returns bodies with notes of the largest length: lists of words that the rules pair with each other."""

    def fill(*parts: list[str]) -> str:
        share = NOTE_CHARS // len(parts)
        filled = []
        for words in parts:
            text = " ".join(words) + " "
            filled.append((text * (share // len(text) + 1))[: share - 1])
        return " ".join(filled)

    numbered = [f"BRCA1 c.{n}A>G" for n in range(1, 6_000)]
    panel = [
        f"{random.choice(GENES)} c.{n}A>G p.A{n}C VUS AF {n % 90}%"
        for n in range(1, 3_000)
    ]
    texts = [
        fill(GENES, VARIANTS),
        fill([*GENES, "and"], VARIANTS, GENES),
        fill(numbered),
        fill(panel),
        fill(["metastases to", *SITES], ["no", *SITES]),
        fill(["PD"], ["PR,"]),
    ]
    return [json.dumps({"text": text[:NOTE_CHARS]}).encode() for text in texts]


def head(path: str, kind: str, length: int | None) -> bytes:
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return (
        f"POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/{kind}\r\n{framing}\r\n\r\n"
    ).encode()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


async def status_of(reader: Reader) -> int:
    """Reads one whole answer with a Content-Length and returns its status."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
    lengths = [int(line.split(":")[1]) for line in lines if line.startswith("content-length:")]
    await reader.readexactly(lengths[0] if lengths else 0)
    return int(lines[0].split()[1])


async def costly_note(reader: Reader, writer: Writer) -> str:
    body = random.choice(worst_notes())
    writer.write(head(EXTRACT, "json", len(body)) + body)
    return str(await status_of(reader))


async def unfinished_body(reader: Reader, writer: Writer) -> str:
    """Sends all but the last byte of a body, and then waits until the gateway answers or closes."""
    writer.write(head(EXTRACT, "json", BODY_BYTES) + b" " * (BODY_BYTES - 1))
    return str(await status_of(reader))


async def trickling_body(reader: Reader, writer: Writer) -> str:
    """Sends a body at one byte a second."""

    async def trickle() -> None:
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(1)

    writer.write(head(EXTRACT, "json", 1_000))
    sending = asyncio.create_task(trickle())
    try:
        return str(await status_of(reader))
    finally:
        sending.cancel()


async def unfinished_batch(reader: Reader, writer: Writer) -> str:
    size = 64 << 20
    writer.write(head(BATCH, "json", size))
    for _ in range(16):
        writer.write(b" " * (1 << 20))
        await writer.drain()
    return str(await status_of(reader))


async def unfinished_line(reader: Reader, writer: Writer) -> str:
    writer.write(head(BATCH, "x-ndjson", None) + chunk(b"x" * (1 << 20)))
    answer = await reader.read()
    return "ended" if b'"ends":true' in answer else answer[:60].decode("latin-1")


async def idle_lines(reader: Reader, writer: Writer) -> str:
    """Sends a line every few seconds and reads its answer."""
    writer.write(head(BATCH, "x-ndjson", None))
    for _ in range(6):
        writer.write(chunk(LINE))
        line = b""
        while not line.startswith(b"{"):
            line = await asyncio.wait_for(reader.readline(), 30)
            if not line:
                return "ended early"
        if (status := json.loads(line)["status"]) != 200:
            return str(status)
        await asyncio.sleep(random.uniform(1, 5))
    return "200"


async def bad_lines(reader: Reader, writer: Writer) -> str:
    lines = b'{"id":1}\nnonsense\n' * 500
    writer.write(head(BATCH, "x-ndjson", len(lines)) + lines)
    head_of_answer = await reader.readuntil(b"\r\n\r\n")
    # The client reads the first line of the answer and disconnects.
    await reader.readline()
    return head_of_answer.split()[1].decode()


async def unread_answers(_: Reader, writer: Writer) -> str:
    receiver = writer.transport.get_extra_info("socket")
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    lines = LINE * 2_000
    writer.write(head(BATCH, "x-ndjson", len(lines)))
    writer.write(lines)
    await asyncio.sleep(5)
    writer.transport.abort()
    return "vanished"


async def byte_behind(_: Reader, writer: Writer) -> str:
    body = json.dumps({"text": NOTE}).encode()
    writer.write(head(EXTRACT, "json", len(body)) + body + b"G")
    await writer.drain()
    return "vanished"


# The gateway answers an unfinished body with an error, but the reset of the connection may overtake that answer.
GIVEN_UP = {"503", "504", "reset"}
ATTACKS = {
    "costly_note": (costly_note, {"200"}),
    "unfinished_body": (unfinished_body, GIVEN_UP),
    "trickling_body": (trickling_body, GIVEN_UP),
    "unfinished_batch": (unfinished_batch, GIVEN_UP),
    "unfinished_line": (unfinished_line, {"ended", "reset"}),
    "idle_lines": (idle_lines, {"200"}),
    "bad_lines": (bad_lines, {"200"}),
    "unread_answers": (unread_answers, {"vanished"}),
    "byte_behind": (byte_behind, {"vanished"}),
}
