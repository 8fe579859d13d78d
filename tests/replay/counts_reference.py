"""Reads what is no answer of a model: token counts, lists of models, and Google's access tokens."""

import json
from typing import Any

from tests.replay import anthropic_reference, bedrock_reference, gemini_reference, openai_reference, responses_reference
from tests.replay._expected import Expected

_ANSWERS = {"generateContent", "embedContent"}


def expected(status: int, body: bytes) -> Expected:
    """What an answer says: `result` is a count, or the names of the models."""
    said = json.loads(body)
    if status != 200:
        words = said.get("message") if isinstance(said, dict) and "error" not in said else None
        return openai_reference.error(status, {"error": {"message": words}} if words else said)
    for name in ("input_tokens", "inputTokens", "totalTokens", "access_token"):
        if name in said:
            return Expected(result=said[name])
    return Expected(result=models_in(said))


def models_in(said: Any) -> list[str]:
    """The names in a list of models, however a vendor writes it; Google's without their folder, in order."""
    if isinstance(said, dict) and "id" in said:
        return [said["id"]]
    if isinstance(said, dict) and ("stt" in said or "tts" in said):  # Deepgram's
        return [one["canonical_name"] for kind in ("stt", "tts") for one in said.get(kind) or []]
    if (
        isinstance(said, dict) and "models" in said
    ):  # Google's; some only make pictures, films or answers of their own kind
        said = {"data": [one for one in said["models"] if _ANSWERS & {*one["supportedGenerationMethods"]}]}
    found = said if isinstance(said, list) else said.get("data") or []
    return [str(one.get("id") or one["name"].removeprefix("models/")) for one in found]


def chat_request(request: Any) -> dict[str, Any]:
    """The counted request in chat's words."""
    if not isinstance(request, dict):
        return openai_reference.minimal_request()
    if "generateContentRequest" in request or "contents" in request:
        return gemini_reference.chat_request(request.get("generateContentRequest", request))
    if "max_tokens" not in request and "messages" in request:
        return anthropic_reference.chat_request({**request, "max_tokens": 1})
    if "converse" in (request.get("input") or {}):
        return bedrock_reference.chat_request(request["input"]["converse"])
    return responses_reference.chat_request(request) if "input" in request else openai_reference.minimal_request()
