"""Rankings by InvokeModel: Amazon's Rerank and Cohere's take nearly the same body (docs.aws.amazon.com/bedrock,
"rerank-supported")."""

from typing import Any, Final

from aiservice.providers._base import cannot_carry
from aiservice.providers._bedrock.answer import parsed
from aiservice.providers._ranking import ranked, texts_to_rank
from aiservice.wire import Answer, Ask, HttpReply, Json

_TITLE: Final = "Amazon Bedrock"
_MOST_DOCUMENTS: Final = 1_000
_COHERE: Final = "cohere."
_OWN: Final = ("max_tokens_per_doc",)


def rerank_body(ask: Ask, model: str) -> Json:
    """The body for `model`.

    Raises:
        AttemptFailed: `ask` holds something that this model cannot carry (named in `param`).
    """
    asked, is_cohere = ask.body, _COHERE in model
    if not is_cohere and "rerank" not in model:
        raise cannot_carry("model", f"Bedrock's '{model}' ranks nothing.")
    own = _OWN if is_cohere else ()
    body: Json = {"query": asked["query"], "documents": texts_to_rank(asked, _TITLE, _MOST_DOCUMENTS, own)}
    body.update({name: asked[name] for name in (*own, "top_n") if asked.get(name) is not None})
    return {**body, "api_version": 2} if is_cohere else body


def rerank_answer(ask: Ask, reply: HttpReply, model: str) -> Answer:
    """The ranking in a reply; the vendor says nothing of tokens.

    Raises:
        AttemptFailed: there is none.
    """
    found = parsed(reply.body).get("results")
    listed = [_named(each) for each in found] if isinstance(found, list) else found
    return ranked(ask, listed, model, None)


def _named(result: Any) -> Any:
    """A result as every ranking names it: the agents' runtime writes in camel case."""
    if isinstance(result, dict) and "relevanceScore" in result:
        return {**result, "relevance_score": result["relevanceScore"]}
    return result
