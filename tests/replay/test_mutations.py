"""A replay that cannot fail proves nothing: each of these breaks an adapter in one place, and must be seen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from aiservice.providers import (
    _anthropic_answer,
    _openai_finish,
    _openai_responses_answer,
    _openai_responses_stream,
    _openai_shape,
    _openai_stream,
)
from aiservice.providers._openai_shape import OpenAiShape
from aiservice.wire import Ask, AttemptFailure, Blame, EventKind, HttpCall, StreamEvent
from tests.replay import wires
from tests.replay.rig import Rig
from tests.replay.traffic import Recording, recordings

Break = Callable[[pytest.MonkeyPatch], None]


def _finish_reason_is_misread(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(_openai_finish._FINISH, "length", "stop")


def _cached_tokens_are_lost(patch: pytest.MonkeyPatch) -> None:
    right = _openai_shape.read_usage

    def wrong(raw: object) -> Any:
        usage, is_valid = right(raw)
        if usage is not None:
            usage.cached_input_tokens = 0
        return usage, is_valid

    patch.setattr(_openai_shape, "read_usage", wrong)


def _last_usage_is_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_openai_stream.ChatStreamReader, "_read_usage", lambda *_: None)


def _streamed_tool_calls_are_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_openai_stream, "_tool_call", lambda *_: StreamEvent(EventKind.OTHER))


def _every_error_is_ours(patch: pytest.MonkeyPatch) -> None:
    failure = AttemptFailure(502, "provider_failed", "The provider failed.", Blame.FAILOVER)
    patch.setattr(_openai_shape, "failure_from_body", lambda *_: failure)


def _tools_are_not_sent(patch: pytest.MonkeyPatch) -> None:
    right = OpenAiShape.build

    def wrong(self: OpenAiShape, ask: Ask, model: str) -> HttpCall:
        ask.body.pop("tools", None)
        return right(self, ask, model)

    patch.setattr(OpenAiShape, "build", wrong)


def _calls_of_responses_are_nameless(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        _openai_responses_answer, "_call", lambda _: {"type": "function", "function": {"name": "", "arguments": ""}}
    )


def _arguments_of_responses_are_lost(patch: pytest.MonkeyPatch) -> None:
    readers = _openai_responses_stream._READERS
    for name in [name for name in readers if "arguments" in name]:
        patch.delitem(readers, name)
    patch.setattr(_openai_responses_stream.ResponsesStreamReader, "_arguments", lambda *_: None)


def _anthropics_stop_reasons_are_misread(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(_anthropic_answer._FINISH, "max_tokens", "stop")


@dataclass(slots=True, frozen=True)
class Case:
    """A break, the recordings that must show it, and the words by which they do."""

    break_it: Break
    wire: str
    feature: str
    seen_as: str


CASES = (
    Case(_finish_reason_is_misread, wires.OPENAI_CHAT, "truncated", "finish reason stop is not length"),
    Case(_cached_tokens_are_lost, wires.OPENAI_CHAT, "cache", "cached_input_tokens 0 are not"),
    Case(_last_usage_is_lost, wires.OPENAI_CHAT, "stream-usage", "usage is counted"),
    Case(_streamed_tool_calls_are_lost, wires.OPENAI_CHAT, "stream", "tool_calls: '[]' is not"),
    Case(_every_error_is_ours, wires.OPENAI_CHAT, "error-404", "provider_failed is not model_not_found"),
    Case(_tools_are_not_sent, wires.OPENAI_CHAT, "tools-parallel", "sent tools: null is not"),
    Case(_calls_of_responses_are_nameless, wires.OPENAI_RESPONSES, "tool-call", "tool_calls:"),
    Case(_arguments_of_responses_are_lost, wires.OPENAI_RESPONSES, "stream", "tool_calls:"),
    Case(_anthropics_stop_reasons_are_misread, wires.ANTHROPIC, "truncated", "finish reason stop is not length"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.break_it.__name__.strip("_"))
async def test_a_broken_adapter_turns_the_replay_red(rig: Rig, monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    chosen = [each for each in recordings() if _is_meant(each, case.wire, case.feature)]
    assert [words for each in chosen for words in await rig.replay(each)] == []
    case.break_it(monkeypatch)
    found = [words for each in chosen for words in await rig.replay(each)]
    assert any(case.seen_as in words for words in found), found


def _is_meant(recording: Recording, wire: str, feature: str) -> bool:
    return recording.excluded is None and recording.wire == wire and feature in recording.features
