"""T-30: whatever happens between many tenants at once, no request leaves with the key of another's connection."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from aiservice.gateway import build_gateway
from aiservice.gateway.admit import InFlight
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.opening import open_core
from aiservice.settings import Settings
from tests.gateway.conftest import Gateway, portal
from tests.harness.evidence import Evidence
from tests.mock.record import read_record
from tests.mock.server import MockProvider

_TENANTS, _AT_ONCE = 12, 50
_WIRES = {"openai-compatible": "/v1", "anthropic": ""}
# What befalls a request: nothing, a failure that goes on at the tenant's other connection, a cut, a refused key.
_SCRIPTS = ("(words-3)", "(words-3)", "(status-503)", "(reset)", "(status-401)", "(cut-after-2) (words-6)", "(html)")


def _secret(tenant: int, kind: str) -> str:
    return f"sk-{kind[:4]}-of-tenant-{tenant:03d}-0123456789"


@pytest.fixture
async def tenants(installed: Settings, tmp_path: Path) -> AsyncIterator[tuple[Gateway, list[str]]]:
    """An installation whose clients each have two connections of their own, with keys of their own, at one address."""
    secrets = [_secret(tenant, kind) for tenant in range(_TENANTS) for kind in _WIRES]
    quick = replace(installed, first_byte_timeout=2.0, idle_timeout=2.0, total_timeout=8.0, drain_seconds=0.5)
    async with (
        MockProvider(record=tmp_path / "served.jsonl", keys=tuple(secrets)) as mock,
        open_core(quick, is_serving=True) as core,
    ):
        keys = []
        for tenant in range(_TENANTS):
            await core.clients.create(OPERATOR, f"tenant{tenant}")
            for kind, path in _WIRES.items():
                await core.connections.add(
                    OPERATOR, kind, f"t{tenant}-{kind[:4]}", mock.root_url + path, Secret(_secret(tenant, kind)),
                    is_private_allowed=True, models=["same-name"], owner_client=f"tenant{tenant}",
                )  # fmt: skip
            keys.append((await core.keys.create(OPERATOR, f"tenant{tenant}", "key")).key.reveal_text())
        in_flight = InFlight()
        yield Gateway(build_gateway(core, in_flight, portal, portal), core, in_flight, keys[0], mock), keys


async def _ask(gateway: Gateway, key: str, tenant: int, random: Random) -> int:
    """One request, whose text says whose it is; some of them hang up on their answer."""
    path = random.choice(("/v1/chat/completions", "/v1/messages"))
    body = {
        "model": random.choice(("same-name", "auto", f"t{tenant}-open/same-name")),
        "messages": [{"role": "user", "content": f"for tenant {tenant}; {random.choice(_SCRIPTS)}"}],
        "stream": random.random() < 0.5,
        "max_tokens": 50,
    }
    leave = random.choice((None, None, 0.005))
    return (await gateway.post(path, body, key=key, leave_after_seconds=leave)).status


@pytest.mark.long_on_postgres("which key goes out is decided in memory")
async def test_t30_no_request_leaves_with_the_key_of_anothers_connection(
    tenants: tuple[Gateway, list[str]], tmp_path: Path, seed: int, evidence: Evidence
) -> None:
    gateway, keys = tenants
    random, statuses = Random(seed), Counter[int]()
    most = asyncio.Semaphore(_AT_ONCE)

    async def one(tenant: int) -> None:
        async with most:
            statuses[await _ask(gateway, keys[tenant], tenant, random)] += 1

    rounds = 40 if evidence.folder is None else 400
    await asyncio.gather(*(one(tenant) for _ in range(rounds) for tenant in range(_TENANTS)))
    # Another's connection is not there to be named, and says nothing of itself.
    body = {"model": "t1-open/same-name", "messages": [{"role": "user", "content": "for tenant 0; (words-1)"}]}
    assert (await gateway.post("/v1/chat/completions", body, key=keys[0])).code == "model_not_found"

    served, wrong = read_record(tmp_path / "served.jsonl"), []
    for call in served:
        said = re.search(r"for tenant (\d+);", json.dumps(call.body))
        assert said is not None
        kind = "anthropic" if call.path.endswith("/messages") else "openai-compatible"
        sent = call.headers.get("x-api-key") or call.headers["authorization"].removeprefix("Bearer ")
        if sent != _secret(int(said[1]), kind):
            wrong.append((said[1], kind, sent))
    assert wrong == []
    assert len(served) > rounds * _TENANTS * 0.5
    assert statuses[200] > rounds * _TENANTS * 0.2
    evidence.note(tenants=_TENANTS, requests=rounds * _TENANTS, upstream_calls=len(served), mixed_up=len(wrong))
