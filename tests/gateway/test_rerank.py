"""Rankings through the gateway, by both of their addresses and as a task."""

import pytest

from tests.gateway.conftest import Gateway

pytestmark = pytest.mark.sqlite_only("what is tried is the gateway's own")

_DOCUMENTS = ["Paris, France", "what is ruby", "ruby"]
_BODY = {"model": "sandbox-reranker", "query": "what is ruby", "documents": _DOCUMENTS, "top_n": 2}


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
async def test_documents_are_ranked_and_counted(sandboxed: Gateway, path: str) -> None:
    reply = await sandboxed.post(path, {**_BODY, "return_documents": True})
    told = reply.json()
    assert reply.status == 200
    assert [each["index"] for each in told["results"]] == [1, 2]
    assert told["results"][0]["document"] == {"text": "what is ruby"}
    assert (reply.headers["x-aiservice-provider"], told["usage"]["total_tokens"]) == ("sandbox", 9)


async def test_a_ranking_is_a_task_told_from_its_body(sandboxed: Gateway) -> None:
    reply = await sandboxed.post("/ai-service", {"input": {"query": "what is ruby", "passages": _DOCUMENTS}})
    told = reply.json()
    assert (told["task"], told["model"]) == ("rerank", "sandbox-reranker")
    assert [each["index"] for each in told["output"]["results"]] == [1, 2, 0]
    assert told["cost"] == {"amount": "0", "currency": "USD"}


async def test_a_key_without_the_scope_may_not_rank(sandboxed: Gateway) -> None:
    key = await sandboxed.new_key(scopes=["chat"])
    reply = await sandboxed.post("/v1/rerank", _BODY, key=key)
    assert (reply.status, reply.code) == (403, "out_of_scope")
