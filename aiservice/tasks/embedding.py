"""Texts as vectors."""

from aiservice.errors import InvalidRequest
from aiservice.tasks._base import Json, Task, only_fields, parameters

_PARAMETERS = frozenset({"dimensions", "encoding_format"})
MAX_TEXTS = 2048


def _recognise(body: Json) -> float:
    given = body.get("input")
    if isinstance(given, dict):
        return 0.9 if "texts" in given else 0.0
    if isinstance(given, list) and given and all(isinstance(text, str) for text in given):
        return 0.9
    model = body.get("model")
    return 0.85 if isinstance(model, str) and "embed" in model.lower() else 0.0


def _ask_body(body: Json) -> Json:
    only_fields(body, "texts", "text")
    given = body.get("input")
    if isinstance(given, dict):
        given = given.get("texts", given.get("text"))
    texts = [given] if isinstance(given, str) else given
    if (
        not isinstance(texts, list)
        or not 1 <= len(texts) <= MAX_TEXTS
        or not all(isinstance(text, str) and text for text in texts)
    ):
        raise InvalidRequest(f"'input' must be a text or a list of 1 to {MAX_TEXTS} texts.", param="input")
    return {"input": texts, **parameters(body, _PARAMETERS)}


def _output(answer_body: Json) -> Json:
    return {"embeddings": [item["embedding"] for item in answer_body.get("data", [])]}


TASK = Task("embedding", "Embedding", "embedding", _recognise, _ask_body, _output)
