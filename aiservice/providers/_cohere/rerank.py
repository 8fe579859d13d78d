"""Cohere's rankings (docs.cohere.com/reference/rerank): paid for by search units, of so many documents each."""

from aiservice.providers._base import AttemptFailed
from aiservice.providers._cohere.answer import count, parsed
from aiservice.providers._cohere.models import TITLE
from aiservice.providers._failures import invalid_answer
from aiservice.providers._ranking import ranked, texts_to_rank
from aiservice.wire import Answer, Ask, Json, Usage

_MOST_DOCUMENTS = 10_000
_OWN = ("max_tokens_per_doc", "priority", "relevant_spans")


def rerank_body(asked: Json, model: str) -> Json:
    """The request to /v2/rerank. Raises AttemptFailed for what has no word there (named in `param`)."""
    texts = texts_to_rank(asked, TITLE, _MOST_DOCUMENTS, _OWN)
    own = {name: asked[name] for name in (*_OWN, "top_n") if asked.get(name) is not None}
    return {"model": model, "query": asked["query"], "documents": texts, **own}


def rerank_answer(ask: Ask, raw: bytes, model: str) -> Answer:
    """The answer to `ask`.

    Raises:
        AttemptFailed: it is none.
    """
    said = parsed(raw)
    if "results" not in said:
        raise AttemptFailed(invalid_answer("its answer had no ranking"))
    answer = ranked(ask, said["results"], model, Usage(billed=(0, 0)))  # no tokens are counted, nor paid for
    meta = said.get("meta")
    billed = meta.get("billed_units") if isinstance(meta, dict) else None
    units = count(billed.get("search_units")) if isinstance(billed, dict) else None
    if units is not None:
        answer.body["search_units"] = units
        answer.usage = Usage(billed=(0, 0), units=units, unit="search")
    return answer
