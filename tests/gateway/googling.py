"""Asks a gateway in Google's words, and reads what it says."""

from typing import Any

import orjson

from tests.gateway.asgi import Reply, call
from tests.gateway.conftest import Gateway
from tests.mock.record import Served, read_record

GEMINI, GPT, CLAUDE = "gemini-2.5-flash", "gpt-mock", "claude-mock"


async def ask(
    gateway: Gateway, model: str, text: str | list[Any], method: str = "generateContent", **fields: Any
) -> Reply:
    contents = [{"role": "user", "parts": [{"text": text}]}] if isinstance(text, str) else text
    query = fields.pop("query", b"alt=sse" if method == "streamGenerateContent" else b"")
    headers = {"x-goog-api-key": gateway.key, **fields.pop("headers", {})}
    path = f"/v1beta/models/{model}:{method}"
    return await call(gateway.app, "POST", path, headers=headers, body={"contents": contents, **fields}, query=query)


def served(gateway: Gateway) -> Served:
    assert gateway.mock is not None
    assert gateway.mock.record.path is not None
    return read_record(gateway.mock.record.path)[-1]


def chunks_of(reply: Reply) -> list[Any]:
    plain = reply.body.replace(b"\r\n", b"\n")
    return [orjson.loads(block.removeprefix(b"data: ")) for block in plain.split(b"\n\n") if block.strip()]


def text_of(chunks: list[Any]) -> str:
    parts = [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]
    return "".join(part.get("text", "") for part in parts if not part.get("thought"))
