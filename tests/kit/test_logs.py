"""One formatter for every logger: credentials masked, one event one line, a stalled reader loses lines and no more."""

import io
import json
import logging
import queue

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit.keyformat import checksum
from aiservice.kit.logs import DroppingQueueHandler, RedactingFormatter, redact, start_logging, stop_logging

# Not a random one: its text is part of a test's name, which must be the same in every process of a run.
_BODY = "ais_live_AbCdEfGhIjKl_aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dF"
_KEY = _BODY + checksum(_BODY)


def _record(message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    trouble = (type(error), error, error.__traceback__) if error is not None else None
    return logging.LogRecord("aiservice.x", logging.INFO, "f.py", 1, message, arguments, trouble)


@pytest.mark.parametrize(
    "secret",
    [
        _KEY,
        "sk-proj-abcdefghijklmnop",
        "Bearer abcdefghijklmnop",
        "Authorization: Basic dXNlcjpwYXNz",
        "password=hunter2hunter2",
        '{"password": "hunter2hunter2"}',
        "api_key='abcdef123456'",
        "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
        "AIzaSyA1234567890abcdefghijk",
        "https://x/v1?key=abcdefgh123&alt=sse",
        "postgresql+asyncpg://user:s3cretpw@db.example/ai",
        "cookie: ais_sid=abcdefabcdefabcdef",
        "Illegal header value b'Bearer sk-abcdefghijkl\\n'",
    ],
    ids=range(13),  # a minted key is another one in each process that collects
)
@pytest.mark.parametrize("is_json", [False, True])
def test_t24_credentials_are_masked_in_message_argument_and_exception(secret: str, is_json: bool) -> None:
    formatter = RedactingFormatter(is_json=is_json)
    try:
        raise ValueError(f"failed with {secret}")  # noqa: TRY301 - what a library does
    except ValueError as exc:
        lines = [
            formatter.format(_record(f"said {secret}")),
            formatter.format(_record("said %s", secret)),
            formatter.format(_record("failed", error=exc)),
        ]
    for part in (
        _KEY[22:], "abcdefghijkl", "dXNlcjpwYXNz", "hunter2", "abcdef123456", "c2lnbmF0dXJl", "1234567890abcdefghijk",
        "abcdefgh123", "s3cretpw", "abcdefabcdef",
    ):  # fmt: skip
        assert all(part not in line for line in lines), lines


def test_a_client_key_keeps_its_public_id() -> None:
    assert redact(f"key {_KEY} used") == f"key {_KEY[:21]}_*** used"


@given(st.text(max_size=200))
def test_t49_one_event_is_one_line_whatever_is_in_it(text: str) -> None:
    for is_json in (False, True):
        line = RedactingFormatter(is_json=is_json).format(_record("said %s", text))
        assert "\n" not in line
        assert "\r" not in line
        assert "\x1b" not in line
        if is_json:
            assert json.loads(line)["logger"] == "aiservice.x"


def test_lines_come_out_and_every_logger_is_covered() -> None:
    stream = io.StringIO()
    before = logging.getLogger().handlers[:]
    try:
        start_logging("INFO", is_json=True, stream=stream)
        logging.getLogger("some.library").warning("token=%s", _KEY)
        stop_logging()
    finally:
        logging.getLogger().handlers = before
    line = json.loads(stream.getvalue())
    assert (line["logger"], _KEY[22:] in line["message"]) == ("some.library", False)


def test_r25_a_stalled_reader_loses_lines_and_holds_nobody_up() -> None:
    handler = DroppingQueueHandler(queue.Queue(maxsize=10))
    handler.setFormatter(RedactingFormatter(is_json=False))
    dropped = DroppingQueueHandler.dropped
    for number in range(25):
        handler.emit(_record("line %d", number))
    assert DroppingQueueHandler.dropped - dropped == 15
