"""Which reference extractor reads which wire.

A reference is a module with two plain functions, written from the vendors' documents and from nothing of ours:

* `expected(status, body) -> Expected`: what an answer says (`body` is server-sent events or JSON: told by its looks);
* `chat_request(request) -> dict`: a recorded request as a chat-completions request with the same features, or a minimal
  one where none was recorded (`request` is None). For embeddings: an embeddings request.
"""

from types import ModuleType

from tests.replay import anthropic_reference, gemini_reference, openai_reference, responses_reference, traffic

_BY_WIRE: dict[str, ModuleType] = {
    traffic.OPENAI_CHAT: openai_reference,
    traffic.OPENAI_EMBEDDINGS: openai_reference,
    traffic.OPENAI_RESPONSES: responses_reference,
    traffic.ANTHROPIC: anthropic_reference,
    traffic.GEMINI: gemini_reference,
    traffic.GEMINI_EMBEDDINGS: gemini_reference,
}


def reference_of(wire: str) -> ModuleType | None:
    return _BY_WIRE.get(wire)
