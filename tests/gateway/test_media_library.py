"""OpenAI's own library for work that is no chat, unchanged but for its transport, against the sandbox."""

from typing import Any

import httpx
from openai import AsyncOpenAI

from tests.gateway.conftest import Gateway


async def test_openais_library_draws_speaks_hears_and_judges(sandboxed: Gateway) -> None:
    in_process: Any = httpx.AsyncClient(transport=httpx.ASGITransport(sandboxed.app))
    async with AsyncOpenAI(
        base_url="http://127.0.0.1:8000/v1",
        api_key=sandboxed.key,
        http_client=in_process,
        max_retries=0,
    ) as client:
        image = await client.images.generate(model="sandbox-image", prompt="a cat")
        assert image.data is not None
        assert image.data[0].b64_json is not None
        drafts = await client.images.generate(model="sandbox-image", prompt="a cat", stream=True, partial_images=1)
        kinds = ["image_generation.partial_image", "image_generation.completed"]
        assert [event.type async for event in drafts] == kinds
        asked: Any = {"model": "sandbox-tts", "voice": "alloy", "input": "hello"}
        spoken = await client.audio.speech.create(**asked)
        async with client.audio.speech.with_streaming_response.create(**asked) as streamed:
            assert await streamed.read() == spoken.content
        recording = ("a.wav", spoken.content)
        heard = await client.audio.transcriptions.create(model="sandbox-transcribe", file=recording)
        assert heard.text.startswith("[sandbox]")
        stream = await client.audio.transcriptions.create(model="sandbox-transcribe", file=recording, stream=True)
        assert [event.type async for event in stream][-1] == "transcript.text.done"
        edited = await client.images.edit(model="sandbox-image", prompt="pink", image=("a.png", b"\x89PNG"))
        assert edited.data
        judged = await client.moderations.create(model="sandbox-moderation", input="i will kill you")
        assert judged.results[0].flagged
