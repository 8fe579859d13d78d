"""Rows of data: the built-in ones, and what is said of one that is not valid."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit.clock import now_us
from aiservice.providers import built_in, install, registry
from aiservice.providers.capabilities import capabilities_of
from aiservice.providers.vendors import RowError, VendorRow, provider_of, row_from_toml, row_of, texts
from aiservice.services.prices import Prices
from aiservice.wire import HttpReply, Usage

VENDORS = sorted(texts())
# A well-known model of each vendor that the table of prices knows.
PRICED = {
    "cerebras": "gpt-oss-120b",
    "deepseek": "deepseek-chat",
    "fireworks": "accounts/fireworks/models/gpt-oss-120b",
    "groq": "llama-3.3-70b-versatile",
    "mistral": "mistral-large-latest",
    "moonshot": "kimi-k2-0711-preview",
    "openrouter": "anthropic/claude-3.5-sonnet",
    "perplexity": "sonar",
    "together": "meta-llama/Llama-3.3-70B-Instruct-Turbo",
    "xai": "grok-3",
    "zai": "glm-4.6",
}


@pytest.mark.parametrize("kind", VENDORS)
def test_every_built_in_row_is_valid_and_says_where_it_was_read(kind: str) -> None:
    row = row_from_toml(texts()[kind])
    assert row.kind == kind
    assert row.source
    assert row.base_url.startswith("https://") or row.base_url_example
    assert not row.needs_key or row.key_env or kind in ("litellm-proxy",)
    assert registry()[kind].title == row.title


@pytest.mark.parametrize(("kind", "model"), sorted(PRICED.items()))
def test_a_well_known_model_of_every_vendor_that_sells_has_a_price(kind: str, model: str) -> None:
    usage = Usage(1_000, 1_000)
    assert Prices().cost_nano_usd(kind, registry()[kind].default_base_url or "", model, usage, now_us())


def test_no_two_paths_of_one_vendor_are_the_same() -> None:
    for kind in VENDORS:
        paths = [path for _, path in row_from_toml(texts()[kind]).paths if path]
        assert len(paths) == len(set(paths)), kind


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ({}, "kind"),
        ({"kind": "Groq"}, "kind"),
        ({"kind": "mine", "colour": 1}, "colour"),
        ({"kind": "mine", "base_url": "ftp://x"}, "base_url"),
        ({"kind": "mine", "base_url": "https://x/v1?key=1"}, "base_url"),
        ({"kind": "mine", "needs_key": 1}, "needs_key"),
        ({"kind": "mine", "refused": "n"}, "refused"),
        ({"kind": "mine", "left_out": ["temperature"]}, "left_out"),
        ({"kind": "mine", "renamed": {"model": "m"}}, "renamed"),
        ({"kind": "mine", "paths": {"chat": "https://elsewhere"}}, "paths.chat"),
        ({"kind": "mine", "paths": {"chat": "/../admin"}}, "paths.chat"),
        ({"kind": "mine", "paths": {"images": "/images"}}, "paths.images"),
        ({"kind": "mine", "response_formats": ["xml"]}, "response_formats"),
        ({"kind": "mine", "tool_choices": "auto"}, "tool_choices"),
        ({"kind": "mine", "thinking_field": "thoughts"}, "thinking_field"),
        ({"kind": "mine", "limits": [{"measure": "cows"}]}, "limits[0].measure"),
        ({"kind": "mine", "limits": [{"measure": "tokens", "window_seconds": 0}]}, "limits[0].window_seconds"),
        ({"kind": "mine", "limits": [{"measure": "tokens", "window_seconds": 60}]}, "limits[0].limit"),
        ({"kind": "mine", "errors": [{"status": 400}]}, "errors[0].means"),
        ({"kind": "mine", "errors": [{"means": "model"}]}, "errors[0]"),
        ({"kind": "mine", "models": [{"pattern": "("}]}, "models[0].pattern"),
        ({"kind": "mine", "models": [{"pattern": "(a+)+"}]}, "models[0].pattern"),
        ({"kind": "mine", "models": [{"pattern": "(?:a|aa)*b"}]}, "models[0].pattern"),
        ({"kind": "mine", "models": [{"pattern": ".*.*.*b"}]}, "models[0].pattern"),
        ({"kind": "mine", "errors": [{"means": "model", "words": "(a)\\1"}]}, "errors[0].words"),
        ({"kind": "mine", "errors": [{"means": "model", "words": ".*a.*b"}]}, "errors[0].words"),
        ({"kind": "mine", "models": [{"pattern": "a", "can": {"images": 3}}]}, "models[0].can.images"),
        ({"kind": "mine", "models": [{"pattern": "a", "can": {"fly": True}}]}, "models[0].can.fly"),
    ],
)
def test_what_is_wrong_with_a_row_is_said_by_its_fields_name(table: dict[str, Any], named: str) -> None:
    with pytest.raises(RowError) as refused:
        row_of(table)
    assert refused.value.name == named
    assert f"'{named}'" in str(refused.value)


def test_text_that_is_no_toml_is_refused_with_where_to_start_from() -> None:
    with pytest.raises(RowError, match="vendor show groq"):
        row_from_toml("kind = ")
    with pytest.raises(RowError, match="64 KiB"):
        row_from_toml("#" * 70_000)


_NAMES = [*VendorRow.__slots__, "x"]
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**6) | st.text(max_size=12) | st.sampled_from(["n", "/a", "(a+)+"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*_NAMES, "pattern", "means"]), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(_NAMES), _VALUES))
def test_any_table_is_a_row_or_is_refused_by_name(table: dict[str, Any]) -> None:
    try:
        row = row_of({"kind": "mine", **table})
    except RowError as refused:
        assert refused.name
    else:
        assert provider_of(row).kind == row.kind


def test_the_worst_pattern_that_is_taken_takes_but_a_moment() -> None:
    row = row_of({"kind": "mine", "models": [{"pattern": ".*a.*b"}], "errors": [{"means": "model", "words": "a.*b"}]})
    provider, began = provider_of(row), time.perf_counter()
    assert provider.serves("a" * 200, "chat")
    assert provider.failure(HttpReply(400, {}, b"a" * 100_000)).code == "provider_rejected_request"
    assert time.perf_counter() - began < 1.0


@pytest.fixture
def _restored() -> Any:
    yield
    install([])


@pytest.mark.usefixtures("_restored")
def test_an_installed_row_is_known_at_once_and_never_takes_a_built_in_kind() -> None:
    mine = provider_of(row_of({"kind": "mine", "models": [{"pattern": "a", "can": {"images": True}}]}))
    other = provider_of(row_of({"kind": "groq", "title": "Not Groq"}))
    install([mine, other])
    assert registry()["mine"] is mine
    assert registry()["groq"] is built_in()["groq"]
    assert capabilities_of("mine", "a").images is True
    changed = provider_of(row_of({"kind": "mine"}))
    install([changed])
    assert capabilities_of("mine", "a").images is None
    install([])
    assert "mine" not in registry()
