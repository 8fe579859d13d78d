"""What is a request's question, and what a policy may say of similar ones."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.errors import Unprocessable
from aiservice.services.semantic_terms import SemanticRule, checked_semantic, question_in

TURN = {"role": "user", "content": "why?"}
NAMES = ["messages", "input", "contents", "role", "content", "parts", "text", "type"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["messages", "input", "contents", "role", "content", "parts", "text", "type"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [TURN]},
        {"messages": [{"role": "system", "content": "x"}, TURN]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "why?"}]}]},
        {"input": "why?"},
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "why?"}]}]},
        {"input": {"text": "why?", "target_language": "fr"}},
        {"input": {"question": "why?", "context": "because"}},
        {"contents": [{"role": "user", "parts": [{"text": "why?"}]}]},
        {"contents": [{"parts": [{"text": "why?"}]}]},
    ],
)
def test_the_question_is_what_was_said_last(body: dict[str, Any]) -> None:
    found = question_in(body)
    assert found is not None
    assert found.text == "why?"
    assert "why?" not in repr(found.rest)
    assert "why?" in repr(body)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": []},
        {"messages": [{"role": "assistant", "content": "x"}]},
        {"messages": [{"role": "tool", "content": "x", "tool_call_id": "t"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image_url"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "text": "x"}]}]},
        {"messages": [{"role": "user", "content": "  "}]},
        {"messages": [{"role": "user", "content": "x" * 8_001}]},
        {"input": {"text": "x", "question": "y"}},
        {"contents": [{"role": "model", "parts": [{"text": "x"}]}]},
        {"contents": [{"parts": [{"text": "x", "thoughtSignature": "s"}]}]},
    ],
)
def test_what_is_more_than_a_text_has_no_question(body: dict[str, Any]) -> None:
    assert question_in(body) is None


@given(body=st.dictionaries(st.sampled_from(["messages", "input", "contents", "model"]), JSON, max_size=4))
def test_any_body_has_one_question_or_none_and_the_rest_is_all_else(body: dict[str, Any]) -> None:
    before = repr(body)
    found = question_in(body)
    assert repr(body) == before
    if found is not None:
        assert found.rest.keys() == body.keys()
        assert repr(found.rest).count("None") == before.count("None") + 1


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"least_permille": 500}, "similar"),
        ({"least_permille": 1_001}, "similar"),
        ({"embeddings": "openai"}, "embeddings"),
        ({"embeddings": ":m"}, "embeddings"),
        ({"judged_percent": 0}, "judged"),
        ({"least_precision_percent": 101}, "precision"),
    ],
)
def test_what_is_no_rule_is_named(change: dict[str, Any], param: str) -> None:
    given_rule: dict[str, Any] = {"embeddings": "openai:small", **change}
    with pytest.raises(Unprocessable) as refused:
        checked_semantic(SemanticRule(**given_rule))
    assert refused.value.param == param
