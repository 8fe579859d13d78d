"""Texts as vectors."""

from aiservice.errors import InvalidRequest
from aiservice.tasks._base import Json, Task, only_fields, parameters
from aiservice.tasks._signs import GIVEN, Signs, fields

_PARAMETERS = frozenset({"dimensions", "encoding_format", "input_type"})
MAX_TEXTS = 2048

SIGNS = Signs(
    fields=fields("texts", "dimensions", "encoding_format"),
    models=r"embed|\bbge-(?!rerank)|\bgte-|\be5-|minilm|voyage-(?!.*rerank)",
    begins=(
        r"embed\s*[:\n]|embeddings? (?:for|of)\b",
        rf"(?:create|generate|give me|compute|get) (?:an? |the )?vector (?:representation|embedding)s? (?:of|"
        rf"for) {GIVEN}",
        rf"embed {GIVEN}",
        rf"vectori[sz]e(?: {GIVEN}|:)",
        r"(?:compute|create|generate|calculate|get|give me|produce) .{0,30}\bembeddings?(?: vectors?)? (?:of|for|"
        r"from)\b",
        rf"(?:turn|convert|transform) {GIVEN}.{{0,40}}\b(?:to|into) (?:an? )?(?:vectors?|embeddings?)",
    ),
    hints=r"embedding|vectori[sz]",
)


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


TASK = Task("embedding", "Embedding", "embedding", SIGNS, _ask_body, _output)
