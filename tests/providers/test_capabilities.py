"""What models can do, what requests need, and what of that is missing."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.providers import registry
from aiservice.providers._base import AttemptFailed
from aiservice.providers._capabilities import PARAMETERS
from aiservice.providers._shown import matrix, shown_of
from aiservice.providers.capabilities import (
    FLAGS,
    NUMBERS,
    Capabilities,
    Requirements,
    capabilities_of,
    missing,
    requirements_of,
)
from aiservice.wire import AI_SERVICE_WIRE, Ask

HELLO = {"role": "user", "content": "Hello"}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "properties": {}}}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
FILE = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
FILM = {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}


def ask(**body: Any) -> Ask:
    return Ask("chat", "chat", {"messages": [HELLO], **body}, wire=AI_SERVICE_WIRE)


def lacks(kind: str, model: str, **body: Any) -> tuple[str, ...]:
    return missing(requirements_of(ask(**body)), capabilities_of(kind, model))


def test_an_ordinary_chat_needs_nothing() -> None:
    assert requirements_of(ask()) == Requirements(frozenset(), frozenset())


@pytest.mark.parametrize(
    ("body", "needs"),
    [
        ({"tools": [TOOL]}, {"tools"}),
        ({"tools": [TOOL], "tool_choice": "none"}, set()),
        ({"tools": [TOOL], "tool_choice": "required"}, {"tools", "forced_tools"}),
        ({"response_format": SCHEMA}, {"json_schema"}),
        ({"response_format": {"type": "json_object"}, "tools": [TOOL]}, {"tools", "json_object_with_tools"}),
        ({"response_format": {"type": "text"}}, set()),
        ({"reasoning_effort": "high"}, {"reasoning"}),
        ({"reasoning_effort": "none"}, set()),
        ({"modalities": ["text", "audio"]}, {"audio_output"}),
        ({"messages": [{"role": "system", "content": "Be brief."}, HELLO]}, {"system"}),
        ({"messages": [{"role": "user", "content": [IMAGE, FILE, SOUND, FILM]}]},
         {"images", "documents", "audio", "video"}),
    ],
)  # fmt: skip
def test_a_request_says_what_it_needs(body: dict[str, Any], needs: set[str]) -> None:
    assert requirements_of(ask(**body)).features == needs


def test_parameters_that_say_what_happens_anyway_are_no_requirement() -> None:
    wanted = ask(temperature=1, n=1, top_p=None, seed=7, stop=["END"], presence_penalty=0, user="u-1")
    assert requirements_of(wanted).parameters == {"seed", "stop"}


def test_the_limit_of_the_answer_is_required() -> None:
    assert requirements_of(ask(max_tokens=500)).output_tokens == 500
    assert lacks("openai", "gpt-4o", max_tokens=50_000) == ("output_tokens",)


@pytest.mark.parametrize(
    ("kind", "model", "body", "lacking"),
    [
        ("anthropic", "claude-opus-5", {"seed": 1, "temperature": 0.2}, ("seed", "temperature")),
        ("anthropic", "claude-sonnet-4-5", {"temperature": 0.2}, ()),
        ("anthropic", "claude-sonnet-4-5", {"messages": [{"role": "user", "content": [SOUND]}]}, ("audio",)),
        ("anthropic", "claude-2.1", {"tools": [TOOL]}, ("tools",)),
        ("openai", "o3-mini", {"messages": [{"role": "user", "content": [IMAGE]}]}, ("images",)),
        ("openai", "o3", {"temperature": 0.2, "top_k": 5}, ("temperature", "top_k")),
        ("openai", "gpt-4", {"response_format": SCHEMA}, ("json_schema",)),
        ("openai", "ft:gpt-4o:acme::1", {"response_format": SCHEMA}, ()),
        ("openai", "gpt-6-luna", {"messages": [{"role": "user", "content": [IMAGE]}], "tools": [TOOL]}, ()),
        ("gemini", "gemini-2.5-flash", {"tools": [TOOL], "response_format": SCHEMA}, ("json_schema_with_tools",)),
        ("gemini", "gemini-3-pro-preview", {"tools": [TOOL], "response_format": SCHEMA, "logit_bias": {"5": 1}},
         ("logit_bias",)),
        ("openai-compatible", "anything", {"tools": [TOOL], "seed": 4}, ()),
    ],
)  # fmt: skip
def test_what_a_model_does_not_honour_is_named(
    kind: str, model: str, body: dict[str, Any], lacking: tuple[str, ...]
) -> None:
    assert lacks(kind, model, **body) == lacking


def test_what_nobody_knows_is_missing_only_for_who_is_strict() -> None:
    wanted = requirements_of(ask(tools=[TOOL], seed=4))
    unknown = capabilities_of("openai-compatible", "anything")
    assert missing(wanted, unknown, is_strict=True) == ("seed", "tools")


def test_a_prompt_is_only_said_not_to_fit_where_that_is_certain() -> None:
    small = Capabilities(context_tokens=8_000)
    assert missing(Requirements(frozenset(), frozenset(), prompt_tokens=9_000), small) == ()
    assert missing(Requirements(frozenset(), frozenset(), prompt_tokens=13_000), small) == ("context_tokens",)


def test_context_lengths_come_from_the_price_table() -> None:
    assert capabilities_of("anthropic", "claude-sonnet-4-5").context_tokens == 200_000
    assert capabilities_of("openai", "gpt-4o").context_tokens == 128_000
    known = capabilities_of("openai-compatible", "grok-3", "https://api.x.ai/v1")
    assert known.context_tokens == 131_072
    assert capabilities_of("openai-compatible", "grok-3").context_tokens is None


def test_what_an_admin_states_goes_first_and_of_a_model_before_all() -> None:
    stated = (("", "images", True), ("", "context_tokens", 4_096), ("tiny", "images", False), ("", "parameters", ()))
    all_models = capabilities_of("openai-compatible", "big", stated=stated)
    assert (all_models.images, all_models.context_tokens, all_models.parameters) == (True, 4_096, frozenset())
    assert capabilities_of("openai-compatible", "tiny", stated=stated).images is False


def test_an_unknown_kind_or_a_newer_model_knows_nothing() -> None:
    assert capabilities_of("no-such-kind", "m") == Capabilities()
    assert capabilities_of("openai", "gpt-9").images is None
    assert capabilities_of("gemini", "gemma-3-27b-it").tools is None


# What says something, and which capability the model then needs.
WISHES: list[dict[str, Any]] = [
    {"tools": [TOOL]},
    {"tools": [TOOL], "tool_choice": "required"},
    {"tools": [TOOL], "response_format": SCHEMA},
    {"tools": [TOOL], "response_format": {"type": "json_object"}},
    {"response_format": SCHEMA},
    {"response_format": {"type": "json_object"}},
    {"reasoning_effort": "high", "max_tokens": 4_000},
    *({"messages": [{"role": "user", "content": [part]}]} for part in (IMAGE, FILE, SOUND, FILM)),
    {"temperature": 0.3},
    {"top_p": 0.96},
    *({name: 3} for name in ("top_k", "seed", "frequency_penalty", "presence_penalty", "n", "max_tokens")),
    {"logprobs": True},
    {"stop": ["END"]},
    {"logit_bias": {"5": 1}},
    {"parallel_tool_calls": False, "tools": [TOOL]},
]
MODELS = {
    "anthropic": ("claude-2.1", "claude-3-opus-20240229", "claude-3-7-sonnet-latest", "claude-sonnet-4-5",
                  "claude-opus-4-6", "claude-opus-4-8", "claude-fable-5-1"),
    "openai": ("gpt-4", "gpt-4o", "gpt-4.1-mini", "o1", "o3", "o4-mini", "gpt-5", "gpt-5-pro", "gpt-5.6", "gpt-6-sol"),
    "gemini": ("gemini-2.0-flash", "gemini-2.5-pro", "gemini-3-pro-preview", "gemini-3.8-flash"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("wish", WISHES, ids="+".join)
def test_the_table_and_the_adapter_agree(kind: str, wish: dict[str, Any]) -> None:
    """Whatever the table says a model honours its adapter builds; what it refuses the table says is missing."""
    provider = registry()[kind]
    for model in MODELS[kind]:
        lacking = lacks(kind, model, **wish)
        try:
            provider.build(ask(**wish), model)
        except AttemptFailed as refusal:
            assert lacking, f"{model} refuses {refusal.failure.param}, and the table does not say it"


SCRAPS = (
    st.none()
    | st.integers()
    | st.text(max_size=3)
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2)
)
FIELDS = [*sorted(PARAMETERS), "tools", "tool_choice", "messages", "response_format", "modalities", "reasoning_effort"]


@given(st.dictionaries(st.sampled_from(FIELDS), SCRAPS, max_size=6))
def test_any_body_has_requirements_that_name_capabilities(body: dict[str, Any]) -> None:
    messages = [{"role": part, "content": [part, {"type": part}]} for part in body.values()]
    needs = requirements_of(Ask("chat", "chat", {"messages": messages, **body}))
    assert needs.features <= FLAGS
    assert needs.parameters <= PARAMETERS
    assert set(missing(needs, Capabilities(), is_strict=True)) <= FLAGS | PARAMETERS | NUMBERS


def test_what_a_model_was_shown_to_do_goes_before_what_is_declared_and_after_what_is_stated() -> None:
    assert matrix().source
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", matrix().date)
    assert shown_of("openai-compatible", "acme-1") == ()
    assert capabilities_of("openai-compatible", "acme-1").tools is None, (
        "what nobody saw is not known, and not 'cannot'"
    )
    for kind, models in matrix().models.items():
        for model, done in models.items():
            known = capabilities_of(kind, model)
            assert kind in registry()
            assert all(getattr(known, name) is True for name in done if name in FLAGS), (kind, model)
            assert list(done) == sorted(done)
    stated = (("", "streaming", False),)
    assert capabilities_of("anthropic", "claude-3-opus-20240229", "", stated).streaming is False
