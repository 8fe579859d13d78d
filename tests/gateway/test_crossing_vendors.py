"""One conversation that goes from vendor to vendor: what each is shown of what the others thought, said and called."""

from typing import Any

import pytest

from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from tests.gateway.conftest import PROVIDER_KEY, Gateway
from tests.mock.record import read_record
from tests.mock.shapes import anthropic, bedrock, gemini

_MODELS = {"anthropic": "claude-opus-4-5", "gemini": "gemini-3-flash", "bedrock": "us.amazon.nova-2-lite-v1:0"}
_TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
_ASKED = '(think) (tool weather {"city": "Bern"}) (tool weather {"city": "Basel"})'


@pytest.fixture
async def vendors(gateway: Gateway) -> Gateway:
    """A gateway with a connection of each kind beside the OpenAI-compatible one, all at one mock."""
    assert gateway.mock is not None
    for kind, model in _MODELS.items():
        await gateway.core.connections.add(
            OPERATOR, kind, kind, gateway.mock.root_url, Secret(PROVIDER_KEY), is_private_allowed=True, models=[model]
        )
    return gateway


async def _turn(gateway: Gateway, kind: str, talk: list[Any], asked: str) -> None:
    """One turn of `talk` at the vendor called `kind`: a question, its calls, their results."""
    if talk:
        talk.append({"role": "assistant", "content": "Snow."})
    talk.append({"role": "user", "content": asked})
    reply = await gateway.chat("", model=f"{kind}/{_MODELS[kind]}", messages=talk, tools=[_TOOL])
    assert reply.status == 200, reply.body
    message = reply.json()["choices"][0]["message"]
    calls = message.get("tool_calls")
    assert calls, (reply.body, _sent(gateway))
    talk += [message, *({"role": "tool", "tool_call_id": call["id"], "content": "snow"} for call in calls)]


def _sent(gateway: Gateway) -> Any:
    assert gateway.mock is not None
    assert gateway.mock.record.path is not None
    return read_record(gateway.mock.record.path)[-1].body


async def test_each_vendor_gets_its_own_state_back_and_nobody_elses(vendors: Gateway) -> None:
    talk: list[Any] = []
    seals = {"anthropic": anthropic.SIGNATURE, "gemini": gemini.SIGNATURE, "bedrock": bedrock.SIGNATURE}
    for kind in seals:
        await _turn(vendors, kind, talk, _ASKED)
    for kind in seals:
        reply = await vendors.chat("", model=f"{kind}/{_MODELS[kind]}", messages=talk, tools=[_TOOL])
        assert reply.json()["choices"][0]["message"]["content"].startswith("The tool said: snow")
        sent = str(_sent(vendors))
        assert [name for name, seal in seals.items() if seal in sent] == [kind]


async def test_calls_and_results_of_both_stay_together_and_in_order(vendors: Gateway) -> None:
    talk: list[Any] = []
    for kind in ("gemini", "anthropic"):
        await _turn(vendors, kind, talk, _ASKED)
    await vendors.chat("", model=f"anthropic/{_MODELS['anthropic']}", messages=talk, tools=[_TOOL])
    turns = _sent(vendors)["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * 3 + ["user"]
    for asked, told in ((turns[1], turns[2]), (turns[5], turns[6])):
        used = [block["id"] for block in asked["content"] if block["type"] == "tool_use"]
        answered = [block["tool_use_id"] for block in told["content"] if block["type"] == "tool_result"]
        assert used == answered
        assert len(used) == 2
    await vendors.chat("", model=f"gemini/{_MODELS['gemini']}", messages=talk, tools=[_TOOL])
    contents = _sent(vendors)["contents"]
    calls = [[part for part in content["parts"] if "functionCall" in part] for content in contents]
    assert [len(found) for found in calls if found] == [2, 2]
    first_of_each = [found[0]["thoughtSignature"] for found in calls if found]
    assert first_of_each == [gemini.SIGNATURE, "skip_thought_signature_validator"]


async def test_a_plain_server_is_shown_no_state(vendors: Gateway) -> None:
    body: dict[str, Any] = {
        "model": "mock/gpt-mock",
        "max_tokens": 50,
        "messages": [{"role": "user", "content": "(think) hi"}],
    }
    said = (await vendors.post("/v1/messages", {**body, "model": f"gemini/{_MODELS['gemini']}"})).json()["content"]
    again = [*body["messages"], {"role": "assistant", "content": said}, {"role": "user", "content": "(words-3) go on"}]
    reply = await vendors.post("/v1/messages", {**body, "messages": again})
    assert reply.status == 200, reply.body
    assert any(block["type"] == "thinking" for block in said)
    assert "signature" not in str(_sent(vendors)["messages"])
    assert "aiservice.v1" not in str(_sent(vendors)["messages"])
