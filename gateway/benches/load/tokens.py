#!/usr/bin/env -S python3 -B
"""Compares tokens a second through the gateway with the same requests sent directly to a real vLLM: see README.md."""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import harness
from harness import COMPLETIONS, EXTRACT, GOOD_BODY, Server

CONCURRENCY = 32
TARGET = 0.98
NOTE = json.loads(GOOD_BODY)["text"]


def notes(count: int) -> list[str]:
    """Returns equally long notes with different first words, so that vLLM caches no prefix beyond the prompt."""
    return [f"Case {number:05}. {NOTE}" for number in range(count)]


def post(server: Server, path: str, body: bytes) -> dict[str, object]:
    connection = http.client.HTTPConnection(server.address, timeout=120)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            harness.fail(
                f"{path} answered {answer.status}: {text[:200].decode(errors='replace')}"
            )
        parsed: dict[str, object] = json.loads(text)
        return parsed
    finally:
        connection.close()


def rate(server: Server, path: str, bodies: list[bytes]) -> tuple[float, int]:
    """Posts all bodies, as many at a time as vLLM has slots. Returns tokens a second and the number of tokens."""
    began = time.monotonic()
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        answers = list(pool.map(lambda body: post(server, path, body), bodies))
    seconds = time.monotonic() - began
    tokens = sum(tokens_of(answer) for answer in answers)
    return tokens / seconds, tokens


def tokens_of(answer: dict[str, object]) -> int:
    usage = answer.get("usage")
    if isinstance(usage, dict):
        return int(usage["total_tokens"])
    return int(str(answer["tokens_used"]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vllm-url", required=True, help="URL of a vLLM server that is ready")
    parser.add_argument("--notes", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--stop-token-ids", default="", help="comma-separated; vLLM refuses ids its model lacks"
    )
    args = parser.parse_args()
    harness.stop_on_sigterm()
    vllm = Server(0, urlsplit(args.vllm_url).netloc)
    settings = {"GATEWAY_VLLM__STOP_TOKEN_IDS": args.stop_token_ids}
    with harness.tools() as built:
        # The gateway's request for a note is recorded from the gateway, so that this script need not build it.
        with (
            harness.upstream(built, "recorder") as recorder,
            harness.gateway(built, "recorded", recorder, **settings) as gateway,
        ):
            post(gateway, EXTRACT, json.dumps({"text": "RECORDED"}).encode())
            request = recorder.get("/first")[1]
        texts = notes(args.notes)
        direct = [
            request.replace("RECORDED", json.dumps(text)[1:-1]).encode()
            for text in texts
        ]
        through = [json.dumps({"text": text}).encode() for text in texts]
        with harness.gateway(built, "measured", vllm, **settings) as gateway:
            rate(vllm, COMPLETIONS, direct)  # warm
            ratios = []
            for number in range(args.rounds):
                straight, one = rate(vllm, COMPLETIONS, direct)
                proxied, other = rate(gateway, EXTRACT, through)
                ratios.append(proxied / straight)
                print(
                    f"round {number + 1}: direct {straight:,.0f} tokens/s ({one:,}), gateway {proxied:,.0f} tokens/s ({other:,}), "
                    f"ratio {ratios[-1]:.3f}"
                )
    ratio = statistics.median(ratios)
    met = ratio >= TARGET
    print(
        f"median ratio {ratio:.3f}, target >= {TARGET}: {'met' if met else 'NOT met'}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
