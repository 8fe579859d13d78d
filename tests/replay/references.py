"""Which reference extractor reads which wire.

A reference has two plain functions, written from the vendors' documents and from nothing of ours:

* `expected(status, body) -> Expected`: what an answer says (`body` is server-sent events or JSON: told by its looks);
* `chat_request(request) -> dict`: a recorded request as a chat-completions request with the same features, or a minimal
  one where none was recorded (`request` is None). For other work: a request in OpenAI's words, or Cohere's to rerank.
"""

from typing import Any, Protocol

from tests.replay import (
    anthropic_reference,
    bedrock_reference,
    cohere_reference,
    completions_reference,
    counts_reference,
    gemini_reference,
    interactions_reference,
    media_reference,
    ollama_reference,
    openai_reference,
    rerank_reference,
    responses_reference,
    wires,
)
from tests.replay._expected import Expected


class Reference(Protocol):
    def expected(self, status: int, body: bytes) -> Expected: ...

    def chat_request(self, request: Any) -> dict[str, Any]: ...


_BY_WIRE: dict[str, Reference] = {
    wires.OPENAI_CHAT: openai_reference,
    wires.OPENAI_EMBEDDINGS: openai_reference,
    wires.OPENAI_RESPONSES: responses_reference,
    wires.OPENAI_COMPLETIONS: completions_reference,
    wires.ANTHROPIC: anthropic_reference,
    wires.GEMINI: gemini_reference,
    wires.GEMINI_EMBEDDINGS: gemini_reference,
    wires.VERTEX_PREDICT: gemini_reference,
    wires.GEMINI_INTERACTIONS: interactions_reference,
    wires.COHERE_CHAT: cohere_reference,
    wires.COHERE_EMBED: cohere_reference,
    wires.RERANK: rerank_reference,
    wires.BEDROCK_CONVERSE: bedrock_reference,
    wires.BEDROCK_INVOKE: bedrock_reference,
    wires.OLLAMA_CHAT: ollama_reference,
    wires.OLLAMA_GENERATE: ollama_reference,
    **dict.fromkeys(
        (wires.OPENAI_COUNT, wires.ANTHROPIC_COUNT, wires.GEMINI_COUNT, wires.BEDROCK_COUNT, wires.MODELS),
        counts_reference,
    ),
    wires.GOOGLE_TOKEN: counts_reference,
    **media_reference.BY_WIRE,
}


def reference_of(wire: str) -> Reference | None:
    return _BY_WIRE.get(wire)
