"""The same recorded answer through our gateway and through LiteLLM, and how the two differ.

Both are asked for a chat completion; both answers are read by the same plain reader of OpenAI's wire, streams folded.
Where they differ the reference of the recorded wire (written from the vendor's documents) says who is right.
"""

import asyncio
import json
import os
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

from tests.gateway.asgi import call
from tests.replay import openai_reference, wires
from tests.replay._expected import Expected
from tests.replay.asking import CHAT, CHAT_WIRES, Way, ways_for
from tests.replay.places import model_for
from tests.replay.references import reference_of
from tests.replay.rig import Rig
from tests.replay.traffic import Json, Recording, is_event_stream
from tests.replay.verdicts import OPEN, VERDICTS, Verdict, verdict_of

FIELDS = (
    *("text", "refusal", "tool_calls", "finish_reason"),
    *("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens"),
)
_SECONDS = 30
_SHOWN_LETTERS = 160
_NOBODY = "http://127.0.0.1:9"
# Only the loopback answers it: pictures that a question names it would fetch itself.
_ENVIRONMENT = {
    "PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
    "AWS_EC2_METADATA_DISABLED": "true", "HF_HUB_OFFLINE": "1",
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"), _NOBODY),
}  # fmt: skip
# LiteLLM's names, where they are not ours; vendors it has none for are asked as its "openai".
_VENDORS = {
    "alibaba": "dashscope", "azure": "azure", "cerebras": "cerebras", "deepseek": "deepseek", "groq": "groq",
    "huggingface": "huggingface", "litellm-proxy": "litellm_proxy", "mistral": "mistral", "openai": "openai",
    "openrouter": "openrouter", "perplexity": "perplexity", "together": "together_ai",
    "vllm": "hosted_vllm", "xai": "xai", "zai": "zai",
}  # fmt: skip
_WIRES = {
    wires.ANTHROPIC: "anthropic",
    wires.GEMINI: "gemini",
    wires.COHERE_CHAT: "cohere_chat/v2",
    wires.BEDROCK_CONVERSE: "bedrock/converse",
    wires.BEDROCK_INVOKE: "bedrock/invoke",
    wires.OLLAMA_CHAT: "ollama_chat",
    wires.OPENAI_RESPONSES: "openai/responses",
}
_PATHS = {
    wires.OPENAI_CHAT: "/v1",
    wires.OPENAI_RESPONSES: "/v1",
    wires.GEMINI: "/v1beta",
    wires.COHERE_CHAT: "/v2/chat",
}


def comparable(recording: Recording) -> bool:
    """Whether it is an answer to a question that both put, of a wire that both speak. Google's streams as one array are
    none: LiteLLM asks for events; nor are Snowflake's: it asks there by another wire."""
    if recording.provider == "snowflake":
        return False
    if (
        recording.excluded is not None
        or recording.status != 200
        or recording.wire not in CHAT_WIRES & {*_WIRES, *_PATHS}
    ):
        return False
    return recording.wire != wires.GEMINI or recording.is_stream == is_event_stream(recording.body)


@dataclass(slots=True)
class Difference:
    """One field of one recording in which the two differ; `right` is who says what the recording says: "ours",
    "LiteLLM's", "neither", or "unsaid" where it says nothing of that field."""

    recording: str
    wire: str
    field: str
    ours: Any
    theirs: Any
    recorded: Any
    right: str

    @property
    def verdict(self) -> Verdict | None:
        return verdict_of(self.wire, self.recording, self.field, self.theirs)

    @property
    def is_judged(self) -> bool:
        """Whether somebody has judged it, and not against what the recording shows."""
        return self.verdict is not None and self.verdict.right in (self.right, OPEN)

    def shown(self) -> Json:
        values = {name: str(getattr(self, name))[:_SHOWN_LETTERS] for name in ("ours", "theirs", "recorded")}
        return {"recording": self.recording, "wire": self.wire, "field": self.field, "right": self.right, **values}


@dataclass(slots=True)
class Tally:
    """What all recordings came to. `unasked` are those that LiteLLM put no question for, whatever it was asked."""

    compared: Counter[str] = field(default_factory=Counter)
    equal: Counter[str] = field(default_factory=Counter)
    asked_plainly: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    def add(self, recording: Recording, ours: Expected, theirs: Expected, recorded: Expected) -> None:
        kind = f"{recording.wire} {'stream' if recording.is_stream else 'whole'}"
        found = _differences(recording, ours, theirs, recorded)
        self.compared[kind] += 1
        self.equal[kind] += not found
        self.differences += found

    def causes(self) -> list[Json]:
        """Every verdict with the differences and the recordings that it is about."""
        listed = []
        for verdict in VERDICTS:
            found = [each for each in self.differences if each.verdict is verdict]
            names = sorted({each.recording for each in found})
            listed.append(
                {"right": verdict.right, "cause": verdict.cause, "differences": len(found), "recordings": names}
            )
        return listed

    def by_kind(self) -> dict[str, int]:
        counts = Counter(f"{each.field}: {each.verdict.right if each.verdict else '?'}" for each in self.differences)
        return dict(sorted(counts.items()))


def _differences(recording: Recording, ours: Expected, theirs: Expected, recorded: Expected) -> list[Difference]:
    if any(each.error is not None for each in (ours, theirs, recorded)):
        # Whether there was an answer at all: in what words each says there was none is another question.
        one, other, said = (each.error is not None for each in (ours, theirs, recorded))
        right = "neither" if said not in (one, other) else "ours" if one == said else "LiteLLM's"
        about = (ours.error, theirs.error, recorded.error)
        return [Difference(recording.name, recording.wire, "error", *about, right)] if one != other else []
    found = []
    for name in FIELDS:
        one, other, told = (getattr(each, name) for each in (ours, theirs, recorded))
        if one == other:
            continue
        right = "ours" if one == told else "LiteLLM's" if other == told else "neither"
        right = "unsaid" if told is None else right
        found.append(Difference(recording.name, recording.wire, name, one, other, told, right))
    return found


class LiteLLM:
    """A process of its own environment that is asked one line at a time."""

    def __init__(self, python: str, script: str) -> None:
        self._command = (python, script)
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._end()

    async def ask(self, asked: Json) -> Json:
        """Its answer, or the error it raised. A process that gives none (it used a connection
        again on which a stream had broken off) is ended, and the question put to another, once."""
        try:
            return await self._answer(asked)
        except TimeoutError:
            await self._end()
            return await self._answer(asked)

    async def _answer(self, asked: Json) -> Json:
        process = await self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asked).encode() + b"\n")
        said: Json = json.loads(await asyncio.wait_for(process.stdout.readline(), _SECONDS))
        return said

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=pipe, stdout=pipe, stderr=nothing, limit=2**24, env=_ENVIRONMENT
            )
        return self._process

    async def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None


async def compare(rig: Rig, litellm: LiteLLM, recording: Recording, tally: Tally) -> None:
    """Puts one recording through both and notes how they differ."""
    reference = reference_of(recording.wire)
    assert reference is not None
    recorded = reference.expected(recording.status, recording.body)
    await rig.connect(recording)
    rig.upstream.current = recording
    rig.core.quotas.forget()
    ways = ways_for(recording)
    way = CHAT if CHAT in ways else ways[0]  # some answers only another of our surfaces asks for
    ours = await _ours(rig, way, recording)
    theirs = await _theirs(rig, litellm, recording, tally)
    if theirs is None:
        tally.unasked.append(recording.name)
        return
    tally.add(recording, ours, theirs, recorded)


async def _ours(rig: Rig, way: Way, recording: Recording) -> Expected:
    question = way.ask(recording)
    assert isinstance(question.body, dict)
    body = {**question.body, **(_with_usage(recording) if way is CHAT else {})}
    reply = await call(rig.app, "POST", question.path, key=rig.key, body=body)
    return _read(way, reply.status, reply.body)


async def _theirs(rig: Rig, litellm: LiteLLM, recording: Recording, tally: Tally) -> Expected | None:
    """None where it has sent no question, whatever it was asked."""
    rig.upstream.asked.clear()
    body = CHAT.ask(recording).body
    assert isinstance(body, dict)
    also = {**_with_usage(recording), **_where(recording, rig.upstream.address)}
    said = await litellm.ask({**body, **also})
    if not rig.upstream.asked:  # it refused the recorded question; the answer is what is compared
        said = await litellm.ask({**openai_reference.minimal_request(), "stream": recording.is_stream, **also})
        if not rig.upstream.asked:
            return None
        tally.asked_plainly.append(recording.name)
    if "error" in said:
        return Expected(error=said["error"])
    return _read(CHAT, 200, said["body"].encode())


def _with_usage(recording: Recording) -> Json:
    return {"stream_options": {"include_usage": True}} if recording.is_stream else {}


def _where(recording: Recording, address: str) -> Json:
    prefix = _WIRES.get(recording.wire) or _VENDORS.get(recording.provider, "openai")
    where: Json = {"model": f"{prefix}/{model_for(recording)}", "api_key": "sk-anything", "num_retries": 0}
    if prefix.startswith("bedrock"):
        kept = {"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "any", "aws_region_name": "us-east-1"}
        del where["api_key"]
        return {**where, **kept, "aws_bedrock_runtime_endpoint": address}
    if prefix == "azure":
        where["api_version"] = "2024-10-21"
        return {**where, "api_base": address}
    return {**where, "api_base": address + _PATHS.get(recording.wire, "")}


def _read(way: Way, status: int, body: bytes) -> Expected:
    try:
        return way.read(status, body)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        return Expected(error=f"unreadable: {type(error).__name__} {error}")
