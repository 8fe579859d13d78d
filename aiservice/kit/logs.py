"""Logging for every logger of the process, through one formatter that masks credentials and cannot be forged.

Text or one JSON object a line. Messages, arguments and exception texts are masked alike; control characters are
escaped, so that one event is one line whatever a caller put into it. The queue between the loop and the stream is
bounded: a reader that stalls loses lines (counted), never requests.
"""

import logging
import logging.handlers
import os
import queue
import re
import sys
import time
from contextlib import suppress
from typing import Any, TextIO

import orjson

_MASK = "***"
# Our keys and tokens, JWTs, what vendors' keys look like, and whatever stands behind a word that names a secret.
_CREDENTIALS = re.compile(
    r"ais_(?:live|test|pat)_[0-9A-Za-z]{12}_[0-9A-Za-z]{6,}"
    r"|ais[a-z]_[0-9A-Za-z_-]{8,}"
    r"|eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*"
    r"|\b(?:sk|pk|rk|gsk|xai|whsec|or)[-_][\w-]{8,}"
    r"|\bAIza[\w-]{16,}"
    r"|(?i:(?<=bearer )|(?<=basic ))\S+"
    r"|(?i:(?:password|passwd|secret|api[_-]?key|authorization|cookie|token|ais_sid)['\"]?\s*[:=]\s*(?:b?['\"])?)"
    r"(?!Secret\(|\*{3})[^\s'\",;&}]+"
    r"|(?<=[?&]key=)[^\s&'\"]+"
    r"|(?<=:)[^\s:/@'\"]+(?=@[\w.-]+[:/])"
)
_NAMED = re.compile(r"^(.*?[:=]\s*(?:b?['\"])?)[^\s'\",;&}]+$", re.DOTALL)
_PUBLIC_ID = re.compile(r"^(ais_(?:live|test|pat)_[0-9A-Za-z]{12})_")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_MAX_CHARACTERS = 16_384
_STOP_SECONDS = 1.0


def redact(text: str) -> str:
    """`text` without anything that looks like a credential; a client key keeps its public id."""
    return _CREDENTIALS.sub(_masked, text)


def _masked(match: re.Match[str]) -> str:
    found = match.group()
    public = _PUBLIC_ID.match(found)
    if public:
        return f"{public.group(1)}_{_MASK}"
    named = _NAMED.match(found)
    return f"{named.group(1)}{_MASK}" if named else _MASK


def one_line(text: str) -> str:
    """`text` with control and direction characters escaped, at most 16 Ki characters."""
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text[:_MAX_CHARACTERS])


class RedactingFormatter(logging.Formatter):
    """Formats a record as text or JSON; every part of it is masked."""

    def __init__(self, *, is_json: bool) -> None:
        super().__init__()
        self._is_json = is_json

    def format(self, record: logging.LogRecord) -> str:
        message = redact(record.getMessage())
        trouble = redact(self.formatException(record.exc_info)) if record.exc_info else ""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        if self._is_json:
            fields: dict[str, Any] = {"at": stamp, "level": record.levelname, "logger": record.name, "message": message}
            if trouble:
                fields["exception"] = trouble
            return orjson.dumps({name: value[:_MAX_CHARACTERS] for name, value in fields.items()}).decode()
        tail = f" | {one_line(trouble)}" if trouble else ""
        return f"{stamp} {record.levelname:<7} {record.name}: {one_line(message)}{tail}"


class DroppingQueueHandler(logging.handlers.QueueHandler):
    """Hands records to the writer thread; counts what it had to drop instead of waiting."""

    dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            DroppingQueueHandler.dropped += 1

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        record.msg = self.format(record)
        record.args = record.exc_info = record.exc_text = record.stack_info = None
        return record


class _LineHandler(logging.Handler):
    """Writes lines that are formatted already: to the stream's file itself where it has one. A write that a stalled
    reader holds up then holds no lock of `sys.stdout`, which the end of the process needs."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        try:
            self._file: int | None = stream.fileno()
        except OSError:
            self._file = None

    def emit(self, record: logging.LogRecord) -> None:
        line = f"{record.msg}\n"
        if self._file is None:
            self._stream.write(line)
            return
        rest = line.encode(errors="backslashreplace")
        with suppress(OSError):  # nobody reads any more
            while rest:
                rest = rest[os.write(self._file, rest) :]


_listener: logging.handlers.QueueListener | None = None


def start_logging(level: str, *, is_json: bool, stream: TextIO | None = None) -> None:
    """Routes every logger of the process through the masking formatter. Starts one thread: call it in the worker."""
    global _listener  # noqa: PLW0603 - logging is process-wide by nature
    stop_logging()
    lines: queue.Queue[Any] = queue.Queue(maxsize=10_000)
    handler = DroppingQueueHandler(lines)
    handler.setFormatter(RedactingFormatter(is_json=is_json))
    writer = _LineHandler(stream or sys.stdout)
    _listener = logging.handlers.QueueListener(lines, writer)
    _listener.start()
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    # Chatter that says nothing about our work, and access lines that would hold query strings.
    for name in ("granian.access", "alembic", "aiosqlite", "asyncio", "httpcore", "hpack", "multipart", "websockets"):
        logging.getLogger(name).setLevel(logging.WARNING)


def stop_logging() -> None:
    """Writes what is queued and ends the writer thread; a reader that stalls is waited for one second at most."""
    global _listener
    listener, _listener = _listener, None
    thread = getattr(listener, "_thread", None)
    if listener is not None and thread is not None:
        with suppress(queue.Full):
            listener.enqueue_sentinel()
            thread.join(_STOP_SECONDS)
