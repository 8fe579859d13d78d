"""Speech over a real server: its bytes are at the client while the vendor still makes the rest, and a cut is known."""

import asyncio
import time

import aiohttp
import pytest

from tests.gateway.scripted_server import ScriptedServer
from tests.harness.evidence import Evidence
from tests.process.conftest import Rig

pytestmark = [pytest.mark.process, pytest.mark.long]

_SOUND = [b"\xff\xfb\x90" + bytes(500), bytes(500), bytes(500)]
_SPEAK = {"model": "voice/tts-1", "input": "hello", "voice": "alloy"}


async def test_speech_is_passed_on_while_it_is_made_and_a_cut_is_no_end(rig: Rig, evidence: Evidence) -> None:
    async with ScriptedServer() as vendor, aiohttp.ClientSession() as session:
        rig.installation.add_mock(vendor.url, name="voice", models="tts-1")
        await asyncio.sleep(1.5)  # until the server has looked at its connections again
        headers = {"authorization": f"Bearer {rig.key}"}

        def speak() -> aiohttp.client._RequestContextManager:
            return session.post(f"{rig.server.url}/v1/audio/speech", json=_SPEAK, headers=headers)

        vendor.says(_SOUND, content_type="audio/mpeg")
        vendor.may_go_on = asyncio.Event()
        began = time.monotonic()
        async with speak() as reply:
            first = await reply.content.readany()
            first_byte_ms = round((time.monotonic() - began) * 1000, 1)
            assert (reply.status, reply.headers["content-type"], first) == (200, "audio/mpeg", _SOUND[0])
            vendor.may_go_on.set()
            assert first + await reply.read() == b"".join(_SOUND)
        vendor.is_cut = True
        async with speak() as reply:
            assert reply.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await reply.read()
        for _ in range(100):
            if len(rows := rig.installation.ledger()) == 2:
                break
            await asyncio.sleep(0.05)
    outcomes = sorted(row["outcome"] for row in rows.values())
    evidence.note(first_byte_ms=first_byte_ms, outcomes=outcomes)
    assert outcomes == ["finished", "upstream_truncated"]
