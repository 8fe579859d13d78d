"""What a provider has no word for is dropped where the client allowed that, and named; nothing else is touched."""

from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.providers import registry
from aiservice.providers._base import AttemptFailed
from aiservice.providers._lossy import built_with_less
from aiservice.wire import Ask

USER = [{"role": "user", "content": "hi"}]
ALL = frozenset({"*"})


def _ask(may_drop: frozenset[str] = ALL, uncarried: tuple[str, ...] = (), **fields: Any) -> Ask:
    return Ask("chat", "chat", {"messages": USER, **fields}, uncarried=uncarried, may_drop=may_drop)


def _built(kind: str, ask: Ask, model: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    _, call, dropped = built_with_less(registry()[kind], ask, model)
    return orjson.loads(call.body), dropped


def test_each_field_without_a_word_is_dropped_and_named() -> None:
    body, dropped = _built("anthropic", _ask(seed=7, logit_bias={"1": 2}, temperature=0.5), "claude-sonnet-4-5")
    assert set(dropped) == {"seed", "logit_bias"}
    assert body["temperature"] == 0.5
    assert not {"seed", "logit_bias"} & body.keys()


def test_only_what_the_client_named_is_dropped() -> None:
    with pytest.raises(AttemptFailed) as refused:
        _built("anthropic", _ask(frozenset({"seed"}), seed=7, logit_bias={"1": 2}), "claude-sonnet-4-5")
    assert refused.value.failure.param == "logit_bias"


def test_fields_of_another_wire_are_dropped_by_their_own_names() -> None:
    ask = _ask(frozenset({"tools", "truncation"}), ("tools[0] (web_search)", "truncation"))
    assert _built("gemini", ask, "gemini-2.5-flash")[1] == ("tools[0] (web_search)", "truncation")


def test_a_part_of_a_message_goes_and_the_rest_of_it_stays() -> None:
    parts = [{"type": "text", "text": "see"}, {"type": "file", "file": {"file_id": "file-1"}}]
    ask = _ask()
    ask.body["messages"] = [{"role": "user", "content": parts}]
    body, dropped = _built("anthropic", ask, "claude-sonnet-4-5")
    assert "see" in str(body["messages"])
    assert len(dropped) >= 1
    assert all(name.startswith("messages") for name in dropped)


def test_a_message_is_never_dropped() -> None:
    ask = _ask()
    ask.body["messages"] = [*USER, {"role": "function", "name": "f", "content": "x"}]
    with pytest.raises(AttemptFailed):
        _built("anthropic", ask, "claude-sonnet-4-5")


_FIELDS = st.dictionaries(
    st.sampled_from(
        ["seed", "n", "logit_bias", "top_k", "stop", "logprobs", "tools", "audio", "prediction", "unknown"]
    ),
    st.one_of(st.none(), st.integers(-1, 3), st.text(max_size=3), st.just([{"type": "x"}]), st.just({"a": 1})),
)


@given(_FIELDS, st.sampled_from(["anthropic", "gemini", "openai", "mistral"]))
def test_the_request_itself_is_never_changed_and_what_is_left_is_built_without_loss(
    fields: dict[str, Any], kind: str
) -> None:
    ask = _ask(**fields)
    before = deepcopy(ask.body)
    try:
        lighter, call, dropped = built_with_less(registry()[kind], ask, "model")
    except AttemptFailed:
        return
    assert ask.body == before
    assert registry()[kind].build(lighter, "model").body == call.body
    assert (lighter is ask) == (not dropped)
