"""Documents in the order of their use for a query."""

from typing import Any

from aiservice.errors import InvalidRequest
from aiservice.tasks._base import Json, Task, found_in, only_fields, parameters
from aiservice.tasks._signs import Signs, fields

MAX_DOCUMENTS = 10_000
_DOCUMENTS = ("documents", "passages", "texts")
_PARAMETERS = frozenset({"max_tokens_per_doc", "query", "return_documents", "top_n"})

SIGNS = Signs(
    fields=fields("query+documents", "query+passages", "query+texts", "query+top_n"),
    models=r"rerank",
    hints=r"re-?rank|relevance",
    begins=(
        r"re-?rank\b",
        r"which of (?:these|the following) (?:documents|passages|results|texts|articles) .{0,20}\bmost relevant",
        r"(?:rank|sort|order|score) (?:these|those|the) (?:following |search )?"
        r"(?:documents|passages|results|texts|articles|paragraphs|snippets|candidates|answers)\b.{0,60}\brelevan",
    ),
)


def ranking_body(body: Json, prefix: str = "") -> Json:
    """A ranking's body in our form, checked: `query`, `documents` (texts, or objects that a vendor knows), `top_n`,
    `return_documents`; words of a vendor's own stay. `prefix` is where the fields are, for who is told.

    Raises:
        InvalidRequest: one of them is missing or of the wrong shape (named in `param`).
    """
    query, documents = body.get("query"), body.get("documents")
    if not isinstance(query, str) or not query.strip():
        raise InvalidRequest(f"'{prefix}query' must be a text that is not empty.", param=f"{prefix}query")
    if (
        not isinstance(documents, list)
        or not 1 <= len(documents) <= MAX_DOCUMENTS
        or not all(isinstance(each, (str, dict)) and each for each in documents)
    ):
        raise InvalidRequest(
            f"'{prefix}documents' must be a list of 1 to {MAX_DOCUMENTS} texts.", param=f"{prefix}documents"
        )
    top = body.get("top_n")
    if top is not None and (type(top) is not int or top < 1):
        raise InvalidRequest("'top_n' must be a whole number from 1.", param="top_n")
    if not isinstance(body.get("return_documents", False), bool):
        raise InvalidRequest("'return_documents' must be true or false.", param="return_documents")
    return body


def _ask_body(body: Json) -> Json:
    only_fields(body, "query", *_DOCUMENTS, "top_n", "return_documents")
    given = body.get("input")
    if isinstance(given, str):
        raise InvalidRequest('\'input\' must say what is ranked: {"query": text, "documents": [texts]}.', param="input")
    asked: dict[str, Any] = {**parameters(body, _PARAMETERS)}
    if isinstance(given, list):
        asked["documents"] = given
    else:
        asked["documents"] = found_in(body, *_DOCUMENTS)[0]
    for name in ("query", "top_n", "return_documents"):
        value, _ = found_in(body, name)
        if value is not None:
            asked[name] = value
    return ranking_body(asked, "input.")


def _output(answer_body: Json) -> Json:
    return {"results": answer_body.get("results", [])}


TASK = Task("rerank", "Rerank", "rerank", SIGNS, _ask_body, _output)
