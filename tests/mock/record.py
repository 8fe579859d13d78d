"""The ground truth: what the mock was asked and how each answer ended; one JSON line each, before it answers."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ID_HEADERS = ("x-request-id", "x-client-request-id")


@dataclass(slots=True, frozen=True)
class Served:
    """One request as the mock saw it. `words` and `end` are None where no end was written (the mock was killed)."""

    number: int
    request_id: str | None
    path: str
    headers: dict[str, str]
    body: Any
    at_us: int
    words: int | None
    end: str | None
    ended_us: int | None = None


class Record:
    """Counts calls and words, and appends both ends of each request to a file (where one is given)."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.calls = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self._descriptor = None if path is None else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def begin(self, path: str, headers: Mapping[str, str], body: object) -> int:
        """Notes a request before anything is answered; gives its number."""
        self.calls += 1
        request_id = next((headers[name] for name in _ID_HEADERS if name in headers), None)
        self._append(
            {
                "number": self.calls,
                "request_id": request_id,
                "path": path,
                "headers": dict(headers),
                "body": body,
                "at_us": time.time_ns() // 1000,
            }
        )
        return self.calls

    def end(self, number: int, *, end: str, words: int, input_tokens: int = 0) -> None:
        """Notes how answer `number` ended: "finished", "client_left", or the word of the script that ended it."""
        self.input_tokens += input_tokens
        self.output_tokens += words
        self._append({"number": number, "end": end, "words": words, "ended_us": time.time_ns() // 1000})

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _append(self, line: dict[str, Any]) -> None:
        if self._descriptor is not None:
            # One write: a reader, or a crash, never sees two lines mixed.
            os.write(self._descriptor, json.dumps(line).encode() + b"\n")


def read_record(path: Path) -> list[Served]:
    """All requests of a record file in the order they came; a line cut by a crash is left out."""
    begun: dict[int, dict[str, Any]] = {}
    for line in _whole_lines(path):
        entry = begun.setdefault(line["number"], {"words": None, "end": None})
        entry.update(line)
    return [Served(**entry) for entry in begun.values()]


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    for text in path.read_bytes().split(b"\n")[:-1]:
        yield json.loads(text)
