"""`provider test`: the live part of the conformance suite, against stored connections."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.commands.conftest import PROVIDER_KEY, Console
from tests.harness.mock import MockProcess

CHAT = ("whole answer", "stream", "tool call", "streamed tool call", "JSON schema")


def _add(console: Console, kind: str, address: str, *more: str) -> None:
    console("provider", "add", kind, "--name", "m", "--base-url", address, "--allow-private", *more, stdin=PROVIDER_KEY)


def _checks(answer: Any) -> dict[str, bool | None]:
    return {row["check"]: row["ok"] for row in answer["checks"]}


@pytest.mark.parametrize(
    ("kind", "also", "not_tried"),
    [
        ("openai-compatible", {"embedding"}, {"image", "token count", "unknown model", "ranking"}),
        ("anthropic", {"token count"}, {"image", "unknown model", "embedding", "ranking"}),
    ],
)
def test_a_connection_is_asked_all_that_its_models_may_be_able_to_do(
    console: Console, mock: MockProcess, kind: str, also: set[str], not_tried: set[str]
) -> None:
    _add(console, kind, mock.base_url)
    answer = console.json("provider", "test", "m")
    assert answer["ok"] is True
    assert _checks(answer) == dict.fromkeys([*CHAT, *also], True) | dict.fromkeys(not_tried)
    assert PROVIDER_KEY not in str(answer)


def test_the_sandbox_holds_all_that_is_promised_of_it(console: Console) -> None:
    found = _checks(console.json("provider", "test", "sandbox"))
    assert {name for name, is_ok in found.items() if is_ok} == {*CHAT, "embedding", "ranking"}
    assert False not in found.values()


def test_the_list_alone_asks_no_model(console: Console, mock: MockProcess) -> None:
    _add(console, "openai-compatible", mock.base_url)
    assert console.json("provider", "test", "m", "--list-only")["checks"] == []
    assert {request.path for request in mock.served()} == {"/v1/models"}


def test_what_is_stated_as_impossible_is_not_tried(console: Console, mock: MockProcess) -> None:
    _add(console, "openai-compatible", mock.base_url)
    console("provider", "set", "m", "--model", "mock-large", "--capability", "tools=no")
    console("provider", "set", "m", "--model", "mock-large", "--capability", "images=yes")
    found = _checks(console.json("provider", "test", "m", "--model", "mock-large"))
    assert (found["tool call"], found["streamed tool call"], found["image"]) == (None, None, True)
    assert {request.body["model"] for request in mock.served() if request.path == "/v1/chat/completions"} == {
        "mock-large",
        "aiservice-no-such-model",
    }


class _Contrary(BaseHTTPRequestHandler):
    """A server of OpenAI's wire that answers "No." to everything, and lets each stream go before its end."""

    def do_GET(self) -> None:
        self._say(json.dumps({"data": [{"id": "contrary"}]}))

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        head = {"id": "1", "created": 1, "model": asked["model"]}
        if asked.get("stream"):
            chunk = {**head, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "No."}}]}
            return self._say(f"data: {json.dumps(chunk)}\n\n", "text/event-stream")
        choice = {"index": 0, "message": {"role": "assistant", "content": "No."}, "finish_reason": "stop"}
        return self._say(json.dumps({**head, "object": "chat.completion", "choices": [choice]}))

    def _say(self, text: str, kind: str = "application/json") -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_said: object) -> None:
        pass


@pytest.fixture
def contrary() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Contrary) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


def test_what_does_not_hold_fails_and_is_told_in_words(console: Console, contrary: str) -> None:
    _add(console, "openai-compatible", contrary)
    done = console("provider", "test", "m", status=1)
    assert "whole answer        ok         'No.'; no usage told" in done.out
    assert "stream              FAILED     upstream_truncated" in done.out
    assert "tool call           FAILED     It was to call a tool, and said 'No.'." in done.out
    assert "JSON schema         FAILED     It was to answer by a schema, and said 'No.'." in done.out
    assert "--model contrary --capability tools=no" in done.out


def test_a_refused_key_ends_it_before_any_model_is_asked(console: Console, mock: MockProcess) -> None:
    add = ("provider", "add", "openai-compatible", "--name", "m", "--base-url", mock.base_url, "--allow-private")
    console(*add, "--no-test", stdin="sk-wrong-key-0000")
    answer = console.json("provider", "test", "m", status=1)
    assert (answer["ok"], answer["code"], answer["checks"]) == (False, "upstream_auth_failed", [])
