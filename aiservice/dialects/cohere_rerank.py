"""`POST /v1/rerank`, in Cohere's format and Jina's (docs.cohere.com/reference/rerank, jina.ai/reranker).

They are one but for what an answer says beside its results: it says both. Cohere's own library asks for `/v2/rerank`.
"""

import orjson

from aiservice.dialects._base import (
    ClientRequest,
    Dialect,
    Json,
    Outcome,
    StreamWriter,
    flag_of,
    model_of,
    preferences_in,
    refuse_overrides,
)
from aiservice.errors import InvalidRequest
from aiservice.tasks.rerank import ranking_body
from aiservice.wire import RERANK_WIRE, Answer, Ask


class CohereRerank(Dialect):
    surface = "rerank"

    def read(self, body: Json) -> ClientRequest:
        refuse_overrides(body)
        preferences, is_provider_field = preferences_in(body)
        if flag_of(body, "stream"):
            raise InvalidRequest("A ranking cannot be streamed.", param="stream")
        model = model_of(body)
        others = {name: value for name, value in body.items() if value is not None and name not in ("model", "stream")}
        asked = ranking_body(others)
        ask = Ask(task="rerank", kind="rerank", body=asked, requested_model=model, wire=RERANK_WIRE)
        return ClientRequest(ask, model, preferences, is_provider_field=is_provider_field)

    def answer(self, answer: Answer, outcome: Outcome) -> bytes:
        said = answer.body
        usage: Json = {"prompt_tokens": outcome.usage.input_tokens, "total_tokens": outcome.usage.total_tokens}
        meta: Json = {"api_version": {"version": "2"}}
        if isinstance(said.get("search_units"), int):
            meta["billed_units"] = {"search_units": said["search_units"]}
        return orjson.dumps(
            {
                "id": outcome.request_id,
                "object": "list",
                "model": outcome.model,
                "results": said["results"],
                "usage": usage,
                "meta": meta,
            }
        )

    def writer(self, request: ClientRequest) -> StreamWriter:
        raise NotImplementedError("a ranking is never streamed: read() refuses it")


DIALECT = CohereRerank()
