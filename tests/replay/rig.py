"""The gateway, a connection for every vendor, and the server that gives recorded answers."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

from aiservice.gateway import build_gateway
from aiservice.gateway.admit import InFlight
from aiservice.gateway.edge import Edge
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.providers import registry
from aiservice.services.core import Core
from aiservice.services.opening import open_core
from aiservice.services.request_log import LogFilter
from aiservice.settings import Settings
from tests.gateway.asgi import Reply, call
from tests.gateway.conftest import portal
from tests.replay import wires
from tests.replay._expected import Expected
from tests.replay.asking import CHAT, COUNTS, Way, expected_of, ways_for
from tests.replay.places import connection_for, kind_for, model_for, path_for
from tests.replay.reading import ANY_ERROR
from tests.replay.references import reference_of
from tests.replay.sent import request_differences
from tests.replay.traffic import Recording, recordings
from tests.replay.upstream import ReplayServer

PROVIDER_KEY = "sk-replay-7d31c0a94be25f68"
# What a vendor says about keys and accounts is about ours.
_SECRET_WORDS = re.compile(rb"sk-|\borg-|\bproj_|AIza|\buser_2", re.ASCII)


NOT_THERE = "this release does not have"


@dataclass
class Rig:
    """What one replay needs; `paths` are the surfaces that this gateway has."""

    app: Edge
    core: Core
    key: str
    upstream: ReplayServer
    paths: frozenset[str]
    _numbers: "count[int]" = field(default_factory=count)
    _connected: set[str] = field(default_factory=set)

    async def connect(self, recording: Recording) -> str:
        """The name of the connection that a recording is asked of; it is added the first time."""
        name = connection_for(recording)
        if name not in self._connected:
            self._connected.add(name)
            await self.core.connections.add(
                *(OPERATOR, kind_for(recording), name, self.upstream.address + path_for(recording)),
                Secret(PROVIDER_KEY),
                is_private_allowed=True,
                owner_client="app",  # some recordings name files of their own
            )
        return name

    async def replay(self, recording: Recording) -> list[str]:
        """Asks in every way and says what differed from the recording; empty where nothing did."""
        if kind_for(recording) not in registry():
            return [f"{NOT_THERE} the kind {kind_for(recording)}"]
        if recording.wire == wires.RERANK and not registry()[kind_for(recording)].serves(
            model_for(recording), "rerank"
        ):
            return [f"{NOT_THERE} reranking by {kind_for(recording)}"]
        reference = reference_of(recording.wire)
        await self.connect(recording)
        if reference is None:
            return [f"nobody reads this wire: {recording.wire or recording.url}"]
        try:
            expected = reference.expected(recording.status, recording.body)
        except (KeyError, TypeError, ValueError, StopIteration) as error:
            return [f"its reference cannot read it ({type(error).__name__}: {error})"]
        if recording.wire == wires.MODELS:
            return await self._listed(recording, expected)
        if recording.wire == wires.GOOGLE_TOKEN:
            return await self._exchanged(recording, expected)
        found: list[str] = []
        ways = ways_for(recording)
        asked = [(way, expected_of(recording, way, expected)) for way in ways if way.route in self.paths]
        if not asked:
            return [f"{NOT_THERE} the surface {', '.join(way.route for way in ways)}"]
        for way, wanted in asked:
            if wanted is not None:
                found += [f"{way.name}: {words}" for words in await self._asked(recording, way, wanted)]
        return found

    async def _listed(self, recording: Recording, expected: Expected) -> list[str]:
        """A list of models is what a live test of a connection finds; afterwards the key is shown them. One model alone
        is asked of us, not of its vendor: of a list that holds it."""
        said = json.loads(recording.body)
        is_one = isinstance(said, dict) and "id" in said
        one_in_list = json.dumps({"object": "list", "data": [said]}).encode()
        self.upstream.current = replace(recording, body=one_in_list) if is_one else recording
        name = await self.connect(recording)
        found = await self.core.connections.test(OPERATOR, name)
        wanted = [model for model in expected.result if model not in found.models]
        if wanted or not expected.result:
            return [f"models that were not found: {wanted[:5]} ({found.summary})"]
        shown = await call(self.app, "GET", f"/v1/models/{name}/{expected.result[0]}", key=self.key)
        return [] if shown.json().get("id") == expected.result[0] else [f"not shown: {shown.body[:200]!r}"]

    async def _exchanged(self, recording: Recording, expected: Expected) -> list[str]:
        """An exchange of a credential is made by the first call of a connection that has one; the next call's
        authorization shows that it was understood. The secrets are the recording's own placeholders."""
        asked = dict(parse_qsl(recording.raw_request.decode()))
        kept = {name: value for name, value in asked.items() if name != "grant_type"}
        key = json.dumps({"type": "authorized_user", "token_uri": f"{self.upstream.address}/token", **kept})
        name = f"exchange-{next(self._numbers)}"
        await self.core.connections.add(
            *(OPERATOR, "vertex", name, self.upstream.address + path_for(recording), Secret(key)),
            is_private_allowed=True,
        )
        self.upstream.token = recording
        self.upstream.current = next(each for each in recordings() if each.wire == wires.GEMINI and each.status == 200)
        self.upstream.asked.clear()
        body = {"model": f"{name}/gemini-2.5-flash", "messages": [{"role": "user", "content": "Hello"}]}
        reply = await call(self.app, "POST", "/v1/chat/completions", key=self.key, body=body)
        sent = [dict(parse_qsl(one.body["unreadable"])) for one in self.upstream.asked if one.path == "/token"]
        used = [one.headers.get("authorization") for one in self.upstream.asked if one.path != "/token"]
        if (reply.status, sent, used) == (200, [asked], [f"Bearer {expected.result}"]):
            return []
        return [f"exchanged {sent} for {used}: {reply.status} {reply.body[:200]!r}"]

    async def _asked(self, recording: Recording, way: Way, expected: Expected) -> list[str]:
        self.upstream.current = recording
        self.upstream.asked.clear()
        self.core.quotas.forget()  # each recording has limits of its own, of another account and day
        question = way.ask(recording)
        headers = {"content-type": question.kind}
        reply = await call(
            *(self.app, "POST", question.path),
            key=self.key, body=question.body, headers=headers, query=question.query,
        )  # fmt: skip
        if not self.upstream.asked and reply.status == recording.status in (400, 404):
            return []  # what the vendor refused we refused before it, and as it did
        if not self.upstream.asked:
            return [f"refused before it was sent: {reply.status} {reply.body[:200]!r}"]
        try:
            got = way.read(reply.status, reply.body)
        except Exception as error:  # noqa: BLE001 - whatever cannot be read is a difference
            return [f"unreadable ({type(error).__name__}: {error}): {reply.status} {reply.body[:300]!r}"]
        await self.core.ledger.flush()
        row = (await self.core.requests.page(OPERATOR, LogFilter(), 1)).entries[0]
        return [
            *request_differences(recording, way, self.upstream.asked[-1]),
            *_differences(way, expected, got),
            *([] if way in COUNTS else _ledger_differences(expected, row)),
            *_leaks(reply, is_error=expected.error is not None),
        ]


def _differences(way: Way, expected: Expected, got: Expected) -> list[str]:
    found = []
    for name in ("text", "tool_calls", "vectors", "result"):
        if getattr(got, name) != getattr(expected, name):
            found.append(f"{name}: {str(getattr(got, name))[:200]!r} is not {str(getattr(expected, name))[:200]!r}")
    if way is CHAT and got.refusal != expected.refusal:
        found.append(f"refusal: {got.refusal!r} is not {expected.refusal!r}")
    if expected.error is None and got.error is not None:
        found.append(f"error {got.error}, where the recording has none")
    if expected.error is not None and got.error not in (expected.error, ANY_ERROR):
        found.append(f"error {got.error} is not {expected.error}")
    if expected.error is None and None not in (expected.input_tokens, got.input_tokens):
        for name in ("input_tokens", "output_tokens", "cached_input_tokens"):
            if getattr(expected, name) not in (None, getattr(got, name)):
                found.append(f"told {name} {getattr(got, name)} are not {getattr(expected, name)}")
    if expected.error_status not in (None, got.error_status):
        found.append(f"status {got.error_status} is not {expected.error_status}")
    if expected.error is None and expected.finish_reason not in (None, got.finish_reason):
        found.append(f"finish reason {got.finish_reason} is not {expected.finish_reason}")
    return found


def _ledger_differences(expected: Expected, row: Any) -> list[str]:
    found = []
    if row.error_code != expected.error:
        found.append(f"the ledger's error {row.error_code} is not {expected.error}")
    if expected.input_tokens is None:
        if (
            row.usage_source == "reported" and row.input_tokens + row.output_tokens
        ):  # none are what is billed by searches
            found.append("the ledger says usage was reported, the recording has none")
        return found
    for name in ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens"):
        wanted = getattr(expected, name)
        if wanted is not None and getattr(row, name) != wanted:
            found.append(f"the ledger's {name} {getattr(row, name)} are not {wanted}")
    if row.usage_source != "reported" or row.is_usage_invalid:
        found.append(f"the ledger's usage is {row.usage_source}, invalid: {row.is_usage_invalid}")
    return found


def _leaks(reply: Reply, *, is_error: bool) -> list[str]:
    if PROVIDER_KEY.encode() in reply.body or PROVIDER_KEY in str(reply.headers):
        return ["the provider's key is in the answer"]
    found = _SECRET_WORDS.search(reply.body) if is_error else None
    return [f"an error tells {found.group()!r} of the account"] if found else []


@asynccontextmanager
async def running_rig(installed: Settings) -> AsyncIterator[Rig]:
    """A gateway in this process with a connection for every vendor of the recordings."""
    async with ReplayServer() as upstream, open_core(installed, is_serving=True) as core:
        await core.clients.create(OPERATOR, "app")
        made = await core.keys.create(OPERATOR, "app", "first")
        app = build_gateway(core, InFlight(), portal, portal)
        routes = {way.route for each in recordings() for way in ways_for(each)}
        paths = frozenset({path for path in routes if (await call(app, "GET", path)).status == 405})
        yield Rig(app, core, made.key.reveal_text(), upstream, paths)
