"""Recordings made wrong at random, and every parser that is to bear them: of vendors' answers, of clients' requests."""

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

from aiservice.dialects import (
    ai_service,
    anthropic_messages,
    cohere_rerank,
    google_generate,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_responses,
)
from aiservice.dialects._base import Dialect
from aiservice.errors import BrokerError
from aiservice.kit.strict_json import BadJson, parse
from aiservice.providers import registry
from aiservice.providers._base import AttemptFailed, LocalProvider, Provider
from aiservice.wire import Ask, AskKind, HttpCall, HttpReply
from tests.replay import wires
from tests.replay.asking import CHAT_WIRES, ways_for
from tests.replay.places import kind_for, model_for
from tests.replay.timing import Stopwatch
from tests.replay.traffic import Json, Recording, recordings

CHUNK_BYTES = 64 * 1024
_WORDS = (
    b"null", b"[]", b"{}", b'""', b"-1", b"1e999", b"NaN", b"9" * 400, b'"\\ud800"', b"\x00", b"\xff\xfe", b"\n\n",
    b"\r", b"data: ", b"data: [DONE]\n\n", b": ping\n\n", b"event: error\n", b"[" * 300, b'{"a":' * 200, b"true",
    b"\\", b'"',
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**53, 1e30, "", "x" * 5000, "\ud800", "null", "[]", [], {}, [[]], [None], {"": None},
    [{}] * 50, {"type": "text"}, {"type": []}, "data:image/png;base64,", "data:;base64,%", "2026-13-45", "\x00",
)  # fmt: skip
DIALECTS: tuple[Dialect, ...] = (
    ai_service.DIALECT, anthropic_messages.DIALECT, anthropic_messages.COUNT_DIALECT, cohere_rerank.DIALECT,
    openai_chat.DIALECT, openai_completions.DIALECT, openai_embeddings.DIALECT, openai_responses.DIALECT,
    *(kind("gemini-2.5-flash") for kind in google_generate.METHODS.values()),
)  # fmt: skip


@dataclass(slots=True, frozen=True)
class Sample:
    """One recorded answer and who reads it: a call that it may have answered, and the ask that made the call."""

    name: str
    provider: Provider
    ask: Ask
    call: HttpCall
    recording: Recording


@lru_cache(maxsize=1)
def samples() -> tuple[Sample, ...]:
    """Of every recording whose provider can be asked for its like."""
    return tuple(found for recording in recordings() if (found := _sample(recording)) is not None)


@lru_cache(maxsize=1)
def requests() -> tuple[Json, ...]:
    """Bodies of clients, of every surface: what the replay asks us."""
    bodies = [
        body
        for recording in recordings()
        if recording.excluded is None
        for way in ways_for(recording)
        if isinstance(body := way.ask(recording).body, dict)
    ]
    return tuple(bodies)


def _sample(recording: Recording) -> Sample | None:
    provider = registry().get(kind_for(recording)) if recording.excluded is None and recording.wire else None
    if provider is None or isinstance(provider, LocalProvider):
        return None
    kind: AskKind = "chat" if recording.wire in CHAT_WIRES else "embedding"
    body: Json = {"messages": [{"role": "user", "content": "Hello"}]} if kind == "chat" else {"input": "Hello"}
    ask = Ask("chat", kind, body, is_stream=recording.is_stream and kind == "chat")
    try:
        call = provider.build(ask, model_for(recording))
    except AttemptFailed:
        return None
    return Sample(recording.name, provider, ask, call, recording)


def put_to_vendors_parsers(random: Random, sample: Sample, watch: Stopwatch) -> None:
    """One answer, made wrong, to all that reads such an answer. An exception other than `AttemptFailed` is a fault."""
    provider, recording = sample.provider, sample.recording
    body = changed(random, recording.body)
    watch.given = sample.name
    if sample.ask.is_stream:
        reader = provider.reader(sample.ask, sample.call)
        for piece in _pieces(random, body):
            watch.time(f"{provider.kind}: a chunk of a stream", lambda: reader.feed(piece))  # noqa: B023 - called at once
        watch.time(f"{provider.kind}: a stream's end", reader.end)
        return
    headers = {name: changed_text(random, value) for name, value in recording.headers.items()}
    reply = HttpReply(200, headers, body)
    status = random.choice((400, 401, 404, 413, 429, 500, 503, 529))
    _bearing(watch, f"{provider.kind}: an answer", lambda: provider.read(sample.ask, sample.call, reply))
    watch.time(f"{provider.kind}: a failure", lambda: provider.failure(HttpReply(status, headers, body)))
    watch.time(f"{provider.kind}: limits in headers", lambda: provider.quota_in(headers))
    refusal = HttpReply(429, headers, body)
    watch.time(f"{provider.kind}: limits in a refusal", lambda: provider.quota_in_refusal(refusal))
    if recording.wire == wires.MODELS or random.random() < 0.1:
        _bearing(watch, f"{provider.kind}: a list of models", lambda: provider.models_in(reply))


def put_to_clients_parsers(random: Random, body: Json, watch: Stopwatch) -> None:
    """One request, made wrong, to every dialect, and what they make of it to every provider. An exception other than a
    refusal is a fault."""
    watch.given = ", ".join(sorted(body))
    raw = json.dumps(changed_json(random, body)).encode("utf-8", "surrogatepass")
    try:
        wrong = watch.time("a body's JSON", lambda: parse(raw))
    except BadJson:
        return
    if not isinstance(wrong, dict):
        return
    for dialect in DIALECTS:
        given = copy.deepcopy(wrong)
        try:
            ask = watch.time(f"{dialect.surface}: a request", lambda: dialect.read(given)).ask  # noqa: B023 - at once
        except BrokerError:
            continue
        for provider in random.sample(_providers(), 4):
            model = random.choice(("m", "gpt-5.1-codex", "claude-opus-4-7", "gemini-2.5-flash", "embed-1"))
            _bearing(watch, f"{provider.kind}: a call", lambda: provider.build(ask, model))  # noqa: B023 - at once


@lru_cache(maxsize=1)
def _providers() -> list[Provider]:
    return [one for one in registry().values() if not isinstance(one, LocalProvider)]


def _bearing(watch: Stopwatch, name: str, run: Callable[[], object]) -> None:
    with suppress(AttemptFailed, BrokerError):
        watch.time(name, run)


def _pieces(random: Random, body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        size = random.choice((1, 7, 700, CHUNK_BYTES))
        size = CHUNK_BYTES if size < 700 and len(body) > 20_000 else size
        yield body[at : at + size]
        at += size


def changed(random: Random, body: bytes) -> bytes:
    """`body` with a few things wrong: in its bytes, or in its JSON."""
    if random.random() < 0.4 and (made := _changed_objects(random, body)) is not None:
        return made
    made = body
    for _ in range(random.randint(1, 4)):
        at, end = sorted((random.randint(0, len(made)), random.randint(0, len(made))))
        end = min(end, at + random.choice((1, 8, 200, len(made))))
        way = random.randrange(4)
        if way == 0:
            made = made[:at] + made[end:]
        elif way == 1:
            made = made[:at] + random.choice(_WORDS) + made[at:]
        elif way == 2:
            made = made[:end] + made[at : at + 2000] + made[end:]
        elif made:
            made = made[:at] + bytes([random.randrange(256)]) + made[at + 1 :]
    return made


def changed_text(random: Random, text: str) -> str:
    if random.random() < 0.7:
        return text
    return random.choice(("", "-1", "abc", "9" * 60, "1e9", "NaN", text[: len(text) // 2], text + ";", "٣", "0x1"))


def changed_json(random: Random, value: Any) -> Any:
    """`value` with one to three of its parts replaced, left out or said twice."""
    made = copy.deepcopy(value)
    for _ in range(random.randint(1, 3)):
        holders = [one for one in _holders(made) if one]
        if not holders:
            return made
        holder = random.choice(holders)
        key = random.choice(list(holder)) if isinstance(holder, dict) else random.randrange(len(holder))
        way = random.randrange(3)
        if way == 0:
            holder[key] = copy.deepcopy(random.choice(_VALUES))
        elif way == 1:
            del holder[key]
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        else:
            holder[random.choice(("type", "role", "content", "index", "error", "id", "name", "usage"))] = holder[key]
    return made


def _holders(value: Any) -> Iterator[Any]:
    found = [value]
    while found:
        one = found.pop()
        if isinstance(one, dict | list):
            yield one
            found += one.values() if isinstance(one, dict) else one


def _changed_objects(random: Random, body: bytes) -> bytes | None:
    """The same with its JSON changed and written again: of a stream, one of its events."""
    text = body.decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    places = [n for n, line in enumerate(lines) if line.removeprefix("data: ").startswith(("{", "["))]
    if len(lines) > 1 and places and body.lstrip()[:1] != b"{":
        place = random.choice(places)
        prefix = "data: " if lines[place].startswith("data: ") else ""
        said = _parsed(lines[place].removeprefix("data: "))
        if said is None:
            return None
        lines[place] = prefix + json.dumps(changed_json(random, said))
        return "\n".join(lines).encode("utf-8", "surrogateescape")
    said = _parsed(text)
    return None if said is None else json.dumps(changed_json(random, said)).encode("utf-8", "surrogateescape")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
