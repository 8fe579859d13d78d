"""A request as a command and as a report: in the form of its own wire, and without a word of who asked what."""

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from aiservice.dialects._base import Dialect
from aiservice.gateway.edge import API_PREFIXES
from aiservice.portal.components.request_copies import call_of, report_of
from aiservice.portal.components.waterfall import steps_of

_TRIED = [
    {"provider": "a|b", "model": "m", "status": 503, "start_ms": 1, "ms": 9, "reason": "preference 1", "code": "x"},
    {"provider": "c", "model": "m", "status": 200, "start_ms": 10, "ms": 9, "reason": "preference 2", "code": None},
]


def entry(**values: Any) -> Any:
    given: dict[str, Any] = {
        "request_id": "req_1", "client": "Acme", "client_id": "cli_acme", "key_id": "key_acme", "task": "chat",
        "surface": "chat.completions", "provider": "c", "model": "m", "requested_model": "", "status": 200,
        "outcome": "finished", "error_code": None, "is_stream": True, "input_tokens": 1, "output_tokens": 2,
        "usage_source": "reported", "cost_nano_usd": 5, "started_us": 0, "ended_us": 20_000, "first_byte_us": None,
        "attempts": _TRIED, "cache": None, "trace_id": "t" * 32, "upstream_id": "up",
    }  # fmt: skip
    return SimpleNamespace(**(given | values))


def surfaces() -> set[str]:
    found, todo = set[str](), [Dialect]
    while todo:
        cls = todo.pop()
        todo += cls.__subclasses__()
        found |= {surface} if (surface := getattr(cls, "surface", "")) else set()
    return found


def test_every_surface_that_takes_json_has_a_command() -> None:
    assert len(surfaces()) > 15
    for surface in surfaces():
        path, body = call_of(entry(surface=surface))
        if surface in ("image-edits", "transcriptions", "translations", "cache"):
            assert (path, body) == ("", "")
            continue
        assert path.startswith(API_PREFIXES), surface
        assert isinstance(orjson.loads(body), dict), surface


def test_a_command_asks_as_it_was_asked() -> None:
    path, body = call_of(entry(requested_model="openai/gpt-5"))
    assert path == "/v1/chat/completions"
    said = orjson.loads(body)
    assert (said["model"], said["stream"], said["messages"][0]["role"]) == ("openai/gpt-5", True, "user")
    assert "stream" not in orjson.loads(call_of(entry(is_stream=False))[1])


@pytest.mark.parametrize("status", [200, 502])
def test_a_report_names_neither_client_nor_key(status: int) -> None:
    asked = entry(status=status, outcome="failed" if status == 502 else "finished", error_code="provider_failed")
    considered = [{"name": "c", "model": "m", "place": "first", "kind": "good", "why": "X.", "is_preference": True}]
    report = report_of(asked, steps_of(asked), considered)  # type: ignore[arg-type]
    assert not [secret for secret in ("Acme", "cli_acme", "key_acme", "t" * 32) if secret in report]
    assert "req_1" in report
    assert "a\\|b" in report
    assert "| c m | first | X. |" in report
