"""`POST /v1/embeddings`, in OpenAI's own format (platform.openai.com/docs/api-reference/embeddings)."""

import orjson

from aiservice.dialects._base import (
    ClientRequest,
    Dialect,
    Json,
    Outcome,
    StreamWriter,
    model_of,
    preferences_in,
    refuse_overrides,
)
from aiservice.errors import InvalidRequest
from aiservice.wire import EMBEDDINGS_WIRE, Answer, Ask


class OpenAiEmbeddings(Dialect):
    surface = "embeddings"
    raw_wire = EMBEDDINGS_WIRE

    def read(self, body: Json) -> ClientRequest:
        refuse_overrides(body)
        preferences, is_provider_field = preferences_in(body)
        given = body.get("input")
        if not isinstance(given, (str, list)) or not given:
            raise InvalidRequest("'input' must be a text, a list of texts or lists of tokens.", param="input")
        if body.get("stream"):
            raise InvalidRequest("Embeddings cannot be streamed.", param="stream")
        model = model_of(body)
        ask = Ask(task="embedding", kind="embedding", body=body, requested_model=model, wire=EMBEDDINGS_WIRE)
        return ClientRequest(ask, model, preferences, is_provider_field=is_provider_field)

    def answer(self, answer: Answer, outcome: Outcome) -> bytes:
        return (
            answer.raw if answer.raw is not None and answer.raw_wire == EMBEDDINGS_WIRE else orjson.dumps(answer.body)
        )

    def writer(self, request: ClientRequest) -> StreamWriter:
        raise NotImplementedError("embeddings are never streamed: read() refuses it")


DIALECT = OpenAiEmbeddings()
