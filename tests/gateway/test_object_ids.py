"""T-76: no id of something that a provider keeps goes through a shared key: it would open it, whoever's it is."""

from typing import Any

import pytest

from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from tests.gateway.conftest import PROVIDER_KEY, Gateway

CHAT, MESSAGES, OWN, RESPONSES = "/v1/chat/completions", "/v1/messages", "/ai-service", "/v1/responses"


def _said(*parts: Any, role: str = "user") -> list[Any]:
    return [{"role": role, "content": list(parts)}]


def _result(*parts: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "toolu_1", "content": list(parts)}


FILE = {"type": "document", "source": {"type": "file", "file_id": "file_of_another"}}


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        (CHAT, {"previous_response_id": "resp_1"}, "previous_response_id"),
        (CHAT, {"conversation": "conv_1"}, "conversation"),
        (CHAT, {"container": "cntr_1"}, "container"),
        (CHAT, {"messages": _said({"type": "file", "file": {"file_id": "file-1"}})}, "messages.content.file.file_id"),
        (CHAT, {"messages": _said({"type": "input_image", "file_id": "file-1"})}, "messages.content.file_id"),
        (CHAT, {"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}, "messages.audio.id"),
        (CHAT, {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}, "tools.vector_store_ids"),
        (CHAT, {"tools": [{"type": "code_interpreter", "container": "cntr_1"}]}, "tools.container"),
        (MESSAGES, {"container": "container_1"}, "container"),
        (MESSAGES, {"messages": _said(FILE)}, "messages.content.source.file_id"),
        (MESSAGES, {"messages": _said({"type": "container_upload", "file_id": "f"})}, "messages.content.file_id"),
        (MESSAGES, {"messages": _said(_result(FILE))}, "messages.content.content.source.file_id"),
        (f"{MESSAGES}/count_tokens", {"messages": _said(FILE)}, "messages.content.source.file_id"),
        (OWN, {"input": _said({"type": "file", "file": {"file_id": "file-1"}})}, "input.content.file.file_id"),
        ("/v1/embeddings", {"input": "x", "file_ids": ["file-1"]}, "file_ids"),
        (RESPONSES, {"previous_response_id": "resp_1"}, "previous_response_id"),
        (RESPONSES, {"conversation": {"id": "conv_1"}}, "conversation"),
        (RESPONSES, {"prompt": {"id": "pmpt_1"}}, "prompt.id"),
        (RESPONSES, {"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.item_reference"),
        (RESPONSES, {"input": [{"type": "code_interpreter_call", "container_id": "c"}]}, "input.container_id"),
        (RESPONSES, {"input": _said({"type": "input_file", "file_id": "file-1"})}, "input.content.file_id"),
        (RESPONSES, {"tools": [{"type": "code_interpreter", "container": {"file_ids": ["f"]}}]}, "container.file_ids"),
        (RESPONSES, {"tools": [{"type": "shell", "environment": {"container_id": "c"}}]}, "environment.container_id"),
    ],
)
async def test_t76_an_id_of_something_kept_by_a_provider_is_404_and_no_call(
    gateway: Gateway, path: str, fields: dict[str, Any], param: str
) -> None:
    body = {"model": "gpt-mock", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    if path in (OWN, RESPONSES):
        del body["messages"], body["max_tokens"]
        body["input"] = "x"
    refused = await gateway.post(path, body | fields, headers={"Idempotency-Key": "k"})
    assert refused.status == 404
    error = refused.json()["error"]
    assert param in error["message"]
    assert gateway.mock is not None
    assert gateway.mock.record.calls == 0


async def test_t76_an_id_goes_to_a_connection_of_the_clients_own_and_never_to_a_shared_one(gateway: Gateway) -> None:
    assert gateway.mock is not None
    await gateway.core.clients.create(OPERATOR, "another app")
    for client, name in (("app", "mine"), ("another app", "theirs")):
        await gateway.core.connections.add(
            *(OPERATOR, "openai-compatible", name, gateway.mock.base_url, Secret(PROVIDER_KEY)),
            is_private_allowed=True,
            models=["gpt-mock"],
            owner_client=client,
        )
    await gateway.core.changes.poll_once()
    body = {"messages": _said({"type": "file", "file": {"file_id": "file-1"}})}
    allowed = await gateway.post(CHAT, {**body, "model": "gpt-mock"})
    assert (allowed.status, allowed.headers["x-aiservice-provider"]) == (200, "mine")
    for pinned in ("mock/gpt-mock", "theirs/gpt-mock"):
        assert (await gateway.post(CHAT, {**body, "model": pinned})).status == 404
    assert gateway.mock.record.calls == 1


async def test_ids_that_are_the_clients_own_words_go_through(gateway: Gateway) -> None:
    schema = {"type": "object", "properties": {"file_id": {"type": "string"}}}
    body = {
        "model": "gpt-mock",
        "max_tokens": 9,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "which file_id?"}]},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "toolu_1", "name": "open", "input": {"file_id": "f"}}],
            },
            {"role": "user", "content": [_result({"type": "text", "text": "previous_response_id"})]},
        ],
        "tools": [{"name": "open", "input_schema": schema}],
    }
    assert (await gateway.post(MESSAGES, body)).status == 200
