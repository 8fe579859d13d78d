"""What vendors of embeddings ask for that OpenAI's wire has no word for, and what they do not take.

What a vector is for is said in as many words as there are vendors (Cohere's `input_type`, Voyage's, Jina's `task`,
Google's `taskType`). A client says it in whichever it knows, as `input_type`, `task` or `task_type`; each vendor is
told in its own.
"""

from collections.abc import Mapping
from typing import Any, Literal

from aiservice.providers._base import cannot_carry
from aiservice.wire import EMBEDDINGS_WIRE, Ask, Json

Purpose = Literal[
    "query", "document", "classification", "clustering", "similarity", "code_query", "code_document", "image"
]
PURPOSE_FIELDS = ("input_type", "task", "task_type")
_PURPOSES: dict[str, Purpose] = {
    "query": "query",
    "search_query": "query",
    "retrieval.query": "query",
    "retrieval_query": "query",
    "question_answering": "query",
    "fact_verification": "query",
    "document": "document",
    "passage": "document",
    "search_document": "document",
    "retrieval.passage": "document",
    "retrieval.document": "document",
    "retrieval_document": "document",
    "classification": "classification",
    "clustering": "clustering",
    "separation": "clustering",
    "similarity": "similarity",
    "text-matching": "similarity",
    "semantic_similarity": "similarity",
    "code.query": "code_query",
    "nl2code.query": "code_query",
    "code_retrieval_query": "code_query",
    "code.passage": "code_document",
    "nl2code.passage": "code_document",
    "image": "image",
}


def purpose_word(asked: Json, words: Mapping[Purpose, str], title: str) -> str | None:
    """The vendor's word for what the vectors of `asked` are for; None where the client does not say.

    Raises:
        AttemptFailed: the vendor has no word for it (the field is named).
    """
    for name in PURPOSE_FIELDS:
        said = asked.get(name)
        if said is None:
            continue
        purpose = _PURPOSES.get(said.lower()) if isinstance(said, str) else None
        if purpose is None or purpose not in words:
            known = ", ".join(sorted(set(words.values()))) or "none: leave it out"
            raise cannot_carry(name, f"{title} makes no vectors for that '{name}'; it knows {known}.")
        return words[purpose]
    return None


def purposeless(body: Json, ask: Ask, title: str) -> Json:
    """`body` for a wire that has no word for what vectors are for. A client of that very wire may know a server that
    has, and say it in its words.

    Raises:
        AttemptFailed: a client of another wire says it.
    """
    if ask.wire != EMBEDDINGS_WIRE:
        purpose_word(body, {}, title)
    return body


def refuse_others(asked: Json, known: frozenset[str], title: str) -> None:
    """Refuses fields of an embeddings request that are not in `known` (which say nothing where they are null).

    Raises:
        AttemptFailed: the first such field is named.
    """
    for name in sorted(asked.keys() - known - {*PURPOSE_FIELDS, "input", "model", "user"}):
        if asked[name] is not None:
            raise cannot_carry(
                name, f"'{name}' cannot be carried to {title}: leave it out, or choose another provider."
            )


def inputs_of(asked: Json, most: int, title: str) -> list[Any]:
    """What is to be embedded, one by one: texts, or objects such as `{"image": "data:…"}`.

    Raises:
        AttemptFailed: there are more than `most`, or tokens among them.
    """
    given = asked.get("input")
    inputs = given if isinstance(given, list) else [given]
    if not all(isinstance(each, (str, dict)) for each in inputs):
        raise cannot_carry("input", f"{title} embeds texts, not tokens: give them as text.")
    if len(inputs) > most:
        raise cannot_carry("input", f"{title} embeds at most {most} inputs in one request: send several.")
    return inputs


def texts_of(asked: Json, most: int, title: str) -> list[Any]:
    """The same for a vendor of texts alone. Raises AttemptFailed for anything else, too."""
    inputs = inputs_of(asked, most, title)
    for place, each in enumerate(inputs):
        if not isinstance(each, str):
            raise cannot_carry(f"input[{place}]", f"{title} embeds texts alone here.")
    return inputs
