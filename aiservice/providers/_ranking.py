"""Rankings, for every vendor of them: the one form of a request and an answer, and what few of them have.

Vendors differ in names (`top_n`, `top_k`; `results`, `data`; `relevance_score`, `score`) and in whether the documents
come back. What a client asked for and its vendor has not is made here: the best `top_n`, and the documents.
"""

from collections.abc import Iterable
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.providers._base import AttemptFailed, cannot_carry, token_count
from aiservice.providers._failures import invalid_answer
from aiservice.wire import RERANK_WIRE, Answer, Ask, Json, Usage

_OURS = frozenset({"documents", "model", "query", "return_documents", "top_n", "user"})


def texts_to_rank(asked: Json, title: str, most: int, known: Iterable[str] = ()) -> list[str]:
    """The documents of a request as texts; `known` are the vendor's own words that it may hold beside ours.

    Raises:
        AttemptFailed: a document is no text, there are more than `most`, or it asks for what the vendor has no word for
            (the field is named).
    """
    for name in sorted(asked.keys() - _OURS - {*known}):
        if asked[name] is not None:
            raise cannot_carry(name, f"{title} has no word for '{name}': leave it out, or choose another provider.")
    documents = asked["documents"]
    if len(documents) > most:
        raise cannot_carry("documents", f"{title} ranks at most {most} documents in one request.")
    return [_text(each, f"documents[{place}]", title) for place, each in enumerate(documents)]


def ranked(ask: Ask, found: Any, model: str, usage: Usage | None, *, is_valid: bool = True) -> Answer:
    """The answer to `ask` of results in their order, each with `index` and `relevance_score` or `score`.

    Raises:
        AttemptFailed: they are no ranking of the documents that were sent.
    """
    documents: list[Any] = ask.body["documents"]
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise AttemptFailed(invalid_answer("its answer had no ranking"))
    results: list[Json] = []
    for each in found[: ask.body.get("top_n")]:
        place, score = each.get("index"), each.get("relevance_score", each.get("score"))
        if type(place) is not int or not 0 <= place < len(documents) or type(score) not in (int, float):
            raise AttemptFailed(invalid_answer("its ranking was of no document that was sent"))
        result: Json = {"index": place, "relevance_score": score}
        if ask.body.get("return_documents"):
            document = documents[place]
            result["document"] = {"text": document} if isinstance(document, str) else document
        if "relevant_spans" in each:
            result["relevant_spans"] = each["relevant_spans"]
        results.append(result)
    return Answer({"results": results}, model, "stop", usage, None, is_valid, RERANK_WIRE)


def total_tokens(said: Any) -> tuple[Usage | None, bool]:
    """The usage of a vendor that counts a ranking's tokens, and whether what was there was valid."""
    if not isinstance(said, dict):
        return None, said is None
    value = next((said[name] for name in ("total_tokens", "prompt_tokens") if said.get(name) is not None), None)
    if value is None:
        return None, True
    count = token_count(value)
    return (None, False) if count is None else (Usage(count), True)


def parsed(raw: bytes) -> Any:
    """What a reply says. Raises AttemptFailed where it is no JSON."""
    try:
        return loads(raw)
    except orjson.JSONDecodeError as exc:
        raise AttemptFailed(invalid_answer("its answer was not JSON")) from exc


def _text(document: Any, where: str, title: str) -> str:
    if isinstance(document, str):
        return document
    if set(document) == {"text"} and isinstance(document["text"], str):
        return document["text"]
    raise cannot_carry(where, f"{title} ranks texts alone: give the document as one text, YAML for what has fields.")
