"""openai-python and openai-node with the Responses API, unchanged but for address and key, against each wire: OpenAI's
own Responses, Anthropic's, Gemini's, chat completions. Every session must go the same way, whoever answers."""

from pathlib import Path
from typing import Any

import pytest

from tests.sdk.responses_session import responses_session
from tests.sdk.test_sessions import Stage, _node_session, node_folder, stage

__all__ = ["node_folder", "stage"]

pytestmark = pytest.mark.process

_KINDS = ("openai", "openai-compatible", "anthropic", "gemini")
_TOLD = {"text": "the gate keeps every key", "status": "completed", "input": 3, "output": 5}
_CALLED = {"name": "weather", "arguments": {"city": "Bern"}}
_EXPECTED: dict[str, Any] = {
    "whole": _TOLD,
    "stream": _TOLD,
    "tool": _CALLED,
    "tool_stream": _CALLED,
    "after_tool": "The tool said: snow",
    "after_tool_by_hand": "The tool said: snow",
    "kept": True,
    "listed": ["message"],
    "deleted": 404,
    "parsed": "Bern",
    "image": "the gate",
    "bad": 400,
    "broken": True,
}


@pytest.mark.parametrize("kind", _KINDS)
def test_openai_python(stage: Stage, kind: str) -> None:
    assert responses_session(stage.server.api_url, stage.key, f"{kind}/mock-small") == _EXPECTED


@pytest.mark.parametrize("kind", _KINDS)
def test_openai_node(stage: Stage, node_folder: Path, kind: str) -> None:
    (node_folder / "responses.mjs").write_bytes((Path(__file__).parent / "responses.mjs").read_bytes())
    said = _node_session(node_folder, "responses", stage.server.api_url, stage.key, f"{kind}/mock-small")
    assert said == _EXPECTED
