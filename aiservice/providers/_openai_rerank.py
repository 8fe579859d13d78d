"""Rankings by the servers that have OpenAI's wire and Cohere's way to rank beside it: Together, OpenRouter, vLLM,
llama.cpp, LiteLLM's proxy, Infinity. What a request says of its own is passed on; documents are made here."""

from typing import Any

from aiservice.providers._ranking import ranked, texts_to_rank, total_tokens
from aiservice.wire import Answer, Ask, Json

_MOST_DOCUMENTS = 10_000
_NOT_SENT = frozenset({"documents", "return_documents", "user"})


def rerank_body(asked: Json, model: str, title: str) -> Json:
    """The request. Raises AttemptFailed for a document that is no text."""
    texts = texts_to_rank(asked, title, _MOST_DOCUMENTS, asked)
    kept = {name: value for name, value in asked.items() if name not in _NOT_SENT and value is not None}
    return {**kept, "model": model, "documents": texts}


def rerank_answer(ask: Ask, said: Any, model: str) -> Answer:
    """The answer to `ask` of what a reply says.

    Raises:
        AttemptFailed: it is none.
    """
    usage, is_valid = total_tokens(said.get("usage"))
    found = said.get("results", said.get("data"))
    answer = ranked(ask, found, model, usage, is_valid=is_valid)
    named = said.get("model")
    if isinstance(named, str) and named:
        answer.model = named
    return answer
