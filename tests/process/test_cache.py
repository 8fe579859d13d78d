"""The answer cache of a served process: one call for all who ask at once, what a hit costs, where prompts are not."""

import asyncio
import json
import socket
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.bench.mocks import Mocks
from tests.bench.targets import LOAD_CORE, gateway
from tests.bench.turns import in_turns
from tests.harness import Installation, MockProcess
from tests.harness.canaries import read_files, search
from tests.harness.databases import RedisServer
from tests.harness.evidence import Evidence
from tests.harness.load import chat
from tests.process.conftest import PROVIDER_KEY, Rig
from tests.process.nodes import nodes

pytestmark = pytest.mark.process

_PROMPT = 'canary prompt "of" a cached answer Tb8XqLn5WdRk3'
_AT_ONCE = 1_000
_ROUNDS = 5
_MOST_OF_A_MISS = 0.6


@pytest.mark.long
@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
async def test_a_thousand_who_ask_the_same_at_once_are_one_call(rig: Rig, is_stream: bool, evidence: Evidence) -> None:
    body = chat("(words-40) (wait-50) the same for all", is_stream=is_stream)
    headers = {"authorization": f"Bearer {rig.key}", "x-aiservice-cache-ttl": "300"}

    async def one(session: aiohttp.ClientSession) -> tuple[int, str, str]:
        async with session.post(f"{rig.server.url}/v1/chat/completions", json=body, headers=headers) as answer:
            return answer.status, answer.headers["x-aiservice-cache"], _without_usage(await answer.text())

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        told = await asyncio.gather(*(one(session) for _ in range(_AT_ONCE)))
    results = Counter(result for _, result, _ in told)
    evidence.note(asked=_AT_ONCE, calls=len(rig.mock.chats()), **results)
    assert {status for status, _, _ in told} == {200}
    assert len({said for _, _, said in told}) == 1
    assert (len(rig.mock.chats()), results["miss"], results["bypass"]) == (1, 1, 0)


@pytest.mark.long
@pytest.mark.redis
@pytest.mark.postgres
@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
def test_three_hundred_who_ask_three_processes_the_same_at_once_are_one_call(
    tmp_path: Path, is_stream: bool, evidence: Evidence
) -> None:
    with nodes(tmp_path, servers=3, workers=1) as found:
        key = found.operator.add_key("test-client", is_new_client=False)["key"]
        told = asyncio.run(_ask_all_at_once([server.url for server in found.servers], key, is_stream=is_stream))
        calls = len(found.mock.chats())
    results = Counter(result for _, result, _ in told)
    evidence.note(asked=len(told), processes=3, calls=calls, **results)
    assert {status for status, _, _ in told} == {200}
    assert len({said for _, _, said in told}) == 1
    assert (calls, results["miss"], results["bypass"]) == (1, 1, 0)


async def _ask_all_at_once(urls: list[str], key: str, *, is_stream: bool) -> list[tuple[int, str, str]]:
    """(status, part of the cache, what it says) of a hundred requests to each, all the same."""
    body = chat("(words-40) (wait-50) the same for all", is_stream=is_stream)
    headers = {"authorization": f"Bearer {key}", "x-aiservice-cache-ttl": "300"}

    async def one(session: aiohttp.ClientSession, url: str) -> tuple[int, str, str]:
        async with session.post(f"{url}/v1/chat/completions", json=body, headers=headers) as answer:
            return answer.status, answer.headers["x-aiservice-cache"], _without_usage(await answer.text())

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        return await asyncio.gather(*(one(session, url) for _ in range(100) for url in urls))


def _without_usage(text: str) -> str:
    """What an answer says, but for its counts: they are of who paid for it."""
    if text.startswith("data:"):
        return text.split('"usage"', maxsplit=1)[0]
    return json.dumps({**json.loads(text), "usage": None})


@pytest.mark.long
@pytest.mark.redis
def test_prompts_that_are_cached_are_found_nowhere(tmp_path: Path, evidence: Evidence) -> None:
    inside, outside = tmp_path / "installation", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(outside))
        mock = stack.enter_context(MockProcess(outside, keys=(PROVIDER_KEY,)))
        installation = Installation(inside, {"AISERVICE_REDIS_URL": redis.url})
        key = installation.add_key()["key"]
        installation.add_mock(mock.base_url, key=PROVIDER_KEY, models="mock-small,mock-embedding")
        server = stack.enter_context(installation.server())
        results = asyncio.run(_ask_for_what_is_kept(server.url, key))
        server.kill()  # leaves the journal and the -wal file as they are
        sealed = _said(redis, "EVAL", "return #redis.call('KEYS', '*cache:*')", "0")
        dump = _dump(redis, outside)
        found = [
            f"{find.form} in {find.place}" for find in search({"prompt": _PROMPT}, _everything(installation, dump))
        ]
        _said(redis, "SET", "planted", _PROMPT)
        planted = list(search({"prompt": _PROMPT}, read_files([_dump(redis, outside)])))
    evidence.note(results=results, sealed_in_redis=sealed, dump_bytes=len(dump.read_bytes()), found=found)
    assert results == ["miss", "hit"] * 4
    assert sealed == ":4"
    assert found == []
    assert planted, "a prompt in the dump would not have been seen"


async def _ask_for_what_is_kept(url: str, key: str) -> list[str]:
    """Asks on each surface twice; what the cache had to do with it."""
    headers = {"authorization": f"Bearer {key}", "x-aiservice-cache-ttl": "300"}
    asked = [
        ("/v1/chat/completions", chat(f"(echo) {_PROMPT}")),
        ("/v1/chat/completions", chat(f"(echo) {_PROMPT}", is_stream=True)),
        (
            "/v1/messages",
            {**chat(f"(echo) {_PROMPT}"), "messages": [{"role": "user", "content": _PROMPT}], "max_tokens": 9},
        ),
        ("/v1/embeddings", {"model": "mock-embedding", "input": _PROMPT}),
    ]
    results = []
    async with aiohttp.ClientSession(headers=headers) as session:
        for path, body in asked:
            for _ in range(2):
                async with session.post(url + path, json=body) as answer:
                    await answer.read()
                    results.append(answer.headers["x-aiservice-cache"])
                await asyncio.sleep(0.3)  # what is kept reaches Redis behind the answer
    return results


def _everything(installation: Installation, dump: Path) -> list[tuple[str, bytes]]:
    return [*read_files(installation.files()), *read_files([dump])]


def _dump(redis: RedisServer, folder: Path) -> Path:
    """What Redis writes of itself, not compressed: else nothing could be searched for in it."""
    assert _said(redis, "CONFIG", "SET", "rdbcompression", "no") == "+OK"
    assert _said(redis, "SAVE") == "+OK"
    return folder / "dump.rdb"


def _said(redis: RedisServer, *words: str) -> str:
    """The first line of Redis' answer to a command."""
    sent = [f"*{len(words)}\r\n", *(f"${len(word.encode())}\r\n{word}\r\n" for word in words)]
    with socket.create_connection(("127.0.0.1", redis.port), timeout=10) as line:
        line.sendall("".join(sent).encode())
        return line.makefile("rb").readline().decode().strip()


@pytest.mark.long
def test_a_hit_costs_at_most_three_fifths_of_a_miss(tmp_path: Path, evidence: Evidence) -> None:
    with ExitStack() as stack:
        mocks = stack.enter_context(Mocks(tmp_path / "mocks", core=LOAD_CORE))
        calls = stack.enter_context(gateway(tmp_path / "calls", mocks, name="calls"))
        misses = stack.enter_context(gateway(tmp_path / "misses", mocks, name="misses", prepare=_keep_all))
        misses.cache_control = "no-cache"  # asked anew each time, and kept
        hits = stack.enter_context(gateway(tmp_path / "hits", mocks, name="hits", prepare=_keep_all))
        figures = {how: in_turns(misses, hits, tmp_path, how, _ROUNDS) for how in ("whole", "stream")}
        unasked = in_turns(calls, hits, tmp_path, "whole", _ROUNDS)
    shares = {how: round(turns.second / turns.first, 3) for how, turns in figures.items()}
    microseconds = {how: (round(turns.first), round(turns.second)) for how, turns in figures.items()}
    microseconds["whole, beside a call without the cache"] = (round(unasked.first), round(unasked.second))
    evidence.note(rounds=_ROUNDS, cpu_us_of_a_miss_and_a_hit=microseconds, share=shares)
    assert max(shares.values()) <= _MOST_OF_A_MISS, figures


def _keep_all(installation: Installation) -> None:
    installation.command("cache", "policy", "set", "--platform", "--ttl", "1d", "--max-ttl", "1d")
