"""The gateway, a connection for every vendor, and the server that gives recorded answers."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

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
from tests.replay._expected import Expected
from tests.replay.asking import ANY_ERROR, CHAT, Way, expected_of, ways_for
from tests.replay.references import reference_of
from tests.replay.sent import request_differences
from tests.replay.traffic import PROVIDERS, Recording
from tests.replay.upstream import ReplayServer

PROVIDER_KEY = "sk-replay-7d31c0a94be25f68"
_KINDS = {"openai": "openai", "anthropic": "anthropic", "gemini": "gemini"}
_RESPONSES = ("deepseek", "lmstudio", "openrouter")
_PATHS = ("/v1/chat/completions", "/v1/embeddings", "/ai-service", "/v1/messages")
# What a vendor says about keys and accounts is about ours.
_SECRET_WORDS = re.compile(rb"sk-|\borg-|\bproj_|AIza|\buser_2", re.ASCII)


@dataclass
class Rig:
    """What one replay needs; `paths` are the surfaces that this gateway has."""

    app: Edge
    core: Core
    key: str
    upstream: ReplayServer
    paths: frozenset[str]

    async def replay(self, recording: Recording) -> list[str]:
        """Asks in every way and says what differed from the recording; empty where nothing did."""
        reference = reference_of(recording.wire)
        if reference is None:
            return [f"no reference extractor for {recording.wire}"]
        expected: Expected = reference.expected(recording.status, recording.body)
        found: list[str] = []
        for way in ways_for(recording, self.paths):
            wanted = expected_of(way, expected)
            if wanted is not None:
                found += [f"{way.name}: {words}" for words in await self._asked(recording, way, wanted)]
        return found

    async def _asked(self, recording: Recording, way: Way, expected: Expected) -> list[str]:
        self.upstream.current = recording
        self.upstream.asked.clear()
        self.core.quotas.forget()  # each recording has limits of its own, of another account and day
        reply = await call(self.app, "POST", way.path, key=self.key, body=way.body(recording))
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
            *_ledger_differences(expected, row),
            *_leaks(reply, is_error=expected.error is not None),
        ]


def _differences(way: Way, expected: Expected, got: Expected) -> list[str]:
    found = []
    for name in ("text", "tool_calls", "vectors"):
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
            if getattr(got, name) != getattr(expected, name):
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
        if row.usage_source == "reported":
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
        names = {f"{name}-recorded": _KINDS.get(name, "openai-compatible") for name in PROVIDERS}
        names |= {f"{name}-responses": "openai" for name in _RESPONSES} | {"gemini-openai": "openai-compatible"}
        for name, kind in names.items():
            if kind not in registry():
                continue
            path = urlsplit(registry()[kind].default_base_url or "http://any/v1").path
            await core.connections.add(
                *(OPERATOR, kind, name, upstream.address + path, Secret(PROVIDER_KEY)),
                is_private_allowed=True,
                owner_client="app",  # some recordings name files of their own
            )
        made = await core.keys.create(OPERATOR, "app", "first")
        app = build_gateway(core, InFlight(), portal, portal)
        paths = frozenset({path for path in _PATHS if (await call(app, "GET", path)).status == 405})
        yield Rig(app, core, made.key.reveal_text(), upstream, paths)
