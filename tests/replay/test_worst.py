"""What is made to be slow holds the loop for less than 50 ms, parser by parser: up to the size at which a body is read
in a thread; and beyond it takes time in proportion to its size."""

import copy
import re
from collections.abc import Callable, Iterator
from contextlib import suppress

import orjson
import pytest

from aiservice.dialects import (
    ai_service,
    anthropic_messages,
    cohere_rerank,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_responses,
)
from aiservice.dialects._base import ClientRequest, Dialect, Outcome
from aiservice.dialects._object_ids import object_id_in
from aiservice.dialects.google_generate import GenerateContent, StreamGenerateContent
from aiservice.errors import BrokerError
from aiservice.gateway.counting import estimated_input
from aiservice.kit.strict_json import SMALL_BYTES, BadJson, parse
from aiservice.providers import registry
from aiservice.providers._base import AttemptFailed, Provider
from aiservice.wire import Ask, EventKind, HttpReply, Usage
from tests.harness.evidence import Evidence
from tests.replay import worst
from tests.replay.fuzzing import CHUNK_BYTES
from tests.replay.timing import Stopwatch

_MOST_MS = 50
_QUICK_BYTES = 32 << 10
_LARGE_BYTES = 8 << 20
_MOST_TIMES = 4.0  # twice the size: at most so many times the time, since small times are not steady
_MODELS = {
    "anthropic": "claude-sonnet-4-5",
    "bedrock": "amazon.nova-lite-v1:0",
    "cohere": "command-r",
    "gemini": "gemini-2.5-flash",
    "gemini-interactions": "gemini-2.5-flash",
    "openai": "gpt-5.1",
    "vertex": "gemini-2.5-flash",
}
_BY_WIRE: tuple[tuple[Dialect, Callable[[int], Iterator[tuple[str, worst.Json]]]], ...] = (
    (ai_service.DIALECT, worst.chats),
    (ai_service.DIALECT, worst.texts),
    (openai_chat.DIALECT, worst.chats),
    (anthropic_messages.DIALECT, worst.messages),
    (openai_responses.DIALECT, worst.inputs),
    (GenerateContent("m"), worst.contents),
    (openai_completions.DIALECT, worst.texts),
    (openai_embeddings.DIALECT, worst.texts),
    (cohere_rerank.DIALECT, worst.texts),
)
_ASK: worst.Json = {
    "messages": [{"role": "user", "content": "hi"}],
    "tools": [{"type": "function", "function": {"name": "f"}}],
}
_OUTCOME = Outcome("req_1", 1, "chat", "p", "m", "stop", Usage(1, 1))


def _providers() -> dict[str, Provider]:
    """One of each wire: the rest are rows of data."""
    kinds = (
        *_MODELS,
        "bedrock-mantle",
        "mistral",
        "ollama",
        "openai-compatible",
        "perplexity",
        "deepseek",
        "voyage",
        "xai",
    )
    return {kind: registry()[kind].at("https://bedrock-runtime.us-east-1.amazonaws.com") for kind in kinds}


def _put_requests(watch: Stopwatch, size: int, providers: dict[str, Provider], only: str = "") -> None:
    for dialect, bodies in _BY_WIRE:
        for name, given in bodies(size):
            if not re.search(only, name):
                continue
            raw, watch.given = orjson.dumps(given), name
            with suppress(BrokerError, BadJson):
                body = watch.time("a body's JSON", lambda: parse(raw))  # noqa: B023 - called at once
                watch.time("ids of objects", lambda: object_id_in(body))  # noqa: B023
                request = watch.time(f"{dialect.surface}: a request", lambda: dialect.read(copy.copy(body)))  # noqa: B023
                ask = request.ask
                watch.time("estimated tokens", lambda: estimated_input(ask, len(raw)))  # noqa: B023
                for kind, provider in providers.items():
                    model = _MODELS.get(kind, "m")
                    with suppress(AttemptFailed):
                        watch.time(f"{kind}: a call", lambda: provider.build(ask, model))  # noqa: B023


def _put_answers(watch: Stopwatch, size: int) -> None:
    dialects = (openai_chat.DIALECT, anthropic_messages.DIALECT, openai_responses.DIALECT, GenerateContent("m"),
                ai_service.DIALECT)  # fmt: skip
    for kind, name, raw in worst.answers(size):
        provider, watch.given = _providers()[kind], name
        ask = Ask("chat", "chat", _ASK, wire="x")
        call = provider.build(ask, _MODELS.get(kind, "m"))
        watch.time(f"{kind}: a failure", lambda: provider.failure(HttpReply(400, {}, raw)))  # noqa: B023
        with suppress(AttemptFailed):
            answer = watch.time(f"{kind}: an answer", lambda: provider.read(ask, call, HttpReply(200, {}, raw)))  # noqa: B023
            answer.raw = None
            for dialect in dialects:
                watch.time(f"{dialect.surface}: an answer", lambda: dialect.answer(answer, _OUTCOME))  # noqa: B023


def _put_streams(watch: Stopwatch) -> None:
    """Three chunks of what a socket gives at most, made of the smallest events there are."""
    dialects = (openai_chat.DIALECT, anthropic_messages.DIALECT, openai_responses.DIALECT, StreamGenerateContent("m"),
                ai_service.DIALECT)  # fmt: skip
    for kind in ("openai", "anthropic", "gemini", "gemini-interactions", "cohere", "ollama", "bedrock"):
        for name, unit in worst.events(kind):
            provider, watch.given = _providers()[kind], name
            ask = Ask("chat", "chat", _ASK, is_stream=True, wire="x")
            reader = provider.reader(ask, provider.build(ask, _MODELS.get(kind, "m")))
            chunk = unit * (CHUNK_BYTES // len(unit))
            said = [watch.time(f"{kind}: a chunk of a stream", lambda: reader.feed(chunk)) for _ in range(3)]  # noqa: B023
            said.append(watch.time(f"{kind}: a stream's end", reader.end))
            for dialect in dialects:
                writer = dialect.writer(ClientRequest(ask))
                writer.start(_OUTCOME)
                for events in said:
                    plain = [event for event in events if event.kind is not EventKind.ERROR]
                    watch.time(f"{dialect.surface}: events", lambda: writer.events(plain))  # noqa: B023
                watch.time(f"{dialect.surface}: a stream's end", lambda: writer.done(_OUTCOME))  # noqa: B023


def _over(watch: Stopwatch) -> dict[str, float]:
    return {name: worst.ms for name, worst in watch.worst.items() if worst.ms > _MOST_MS}


@pytest.mark.long
def test_what_is_made_to_be_slow_holds_nobody_up(evidence: Evidence) -> None:
    ai_service.prepare()
    watch, size = Stopwatch(), SMALL_BYTES - (8 << 10)
    with watch.watching():
        _put_requests(watch, size, _providers())
        _put_answers(watch, size)
        _put_streams(watch)
    print("\n" + "\n".join(watch.table()))
    evidence.note(bytes=size, calls_worst_ms_and_the_collectors=watch.figures())
    assert not _over(watch)


@pytest.mark.long
def test_what_is_read_in_a_thread_takes_time_in_proportion(evidence: Evidence) -> None:
    """What a square of the size would take, nobody could wait for: 8 MiB and half of it, parser by parser."""
    ai_service.prepare()
    half, whole = Stopwatch(), Stopwatch()
    with half.watching():
        _put_requests(half, _LARGE_BYTES // 2, _providers())
        _put_answers(half, _LARGE_BYTES // 2)
    with whole.watching():
        _put_requests(whole, _LARGE_BYTES, _providers())
        _put_answers(whole, _LARGE_BYTES)
    print("\n" + "\n".join(whole.table()))
    evidence.note(bytes=_LARGE_BYTES, calls_worst_ms_and_the_collectors=whole.figures())
    grown = {name: (half.worst[name].ms, worst.ms) for name, worst in whole.worst.items() if worst.ms > _MOST_MS}
    assert not {name: pair for name, pair in grown.items() if pair[1] > _MOST_TIMES * pair[0]}


@pytest.mark.parametrize("kind", ["anthropic", "bedrock", "gemini"])
def test_results_of_many_calls_are_not_looked_for_from_the_beginning(kind: str) -> None:
    watch = Stopwatch()
    with watch.watching():
        _put_requests(watch, 4 * _QUICK_BYTES, {kind: _providers()[kind]}, only="results")
    assert not _over(watch)


def test_many_candidates_are_not_looked_through_for_each() -> None:
    watch, provider = Stopwatch(), _providers()["gemini"]
    ask = Ask("chat", "chat", _ASK)
    call = provider.build(ask, "gemini-2.5-flash")
    [raw] = [raw for kind, name, raw in worst.answers(4 * _QUICK_BYTES) if (kind, name) == ("gemini", "candidates")]
    watch.time("read", lambda: provider.read(ask, call, HttpReply(200, {}, raw)))
    assert not _over(watch)


@pytest.mark.parametrize("kind", [*_providers()])
def test_arguments_too_deep_to_be_written_again_are_refused_or_passed_on_as_text(kind: str) -> None:
    """orjson reads 1,024 levels and writes 254: what it cannot write is no exception but a refusal."""
    watch = Stopwatch()
    _put_requests(watch, 1 << 10, {kind: _providers()[kind]}, only="deep arguments")
    assert watch.worst[f"{kind}: a call"].calls > 0


def test_answers_too_deep_to_be_written_again_are_none() -> None:
    deep = [(kind, raw) for kind, name, raw in worst.answers(1 << 10) if name == "nested"]
    for kind, raw in deep:
        provider, ask = _providers()[kind], Ask("chat", "chat", _ASK)
        with pytest.raises(AttemptFailed):
            provider.read(ask, provider.build(ask, _MODELS[kind]), HttpReply(200, {}, raw))
    assert len(deep) == 4
