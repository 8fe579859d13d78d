"""Explain tokens: bound to client and body, over in five minutes, and of no use to whoever changes a byte."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.errors import Unprocessable
from aiservice.principal import Principal
from aiservice.services import explain_tokens
from aiservice.services.explain_tokens import ExplainTokens
from aiservice.services.routing import Decided, Router
from tests.services.test_routing import WHO, decide, names
from tests.services.test_routing_decision import view

BODY: dict[str, object] = {"input": "x"}
OTHER = Principal("cli_2", "other", "key_2", "y")


def tokens() -> ExplainTokens:
    vault: Any = SimpleNamespace(derive=lambda purpose: purpose.ljust(32, b"."))
    return ExplainTokens(vault)


def decided() -> Decided:
    return decide(Router(), (view("a"), view("b"), view("c")), {"order": ["b", "a"]})


def test_what_was_told_is_what_is_read() -> None:
    token, _ = tokens().sign(WHO, BODY, decided())
    told = tokens().read(WHO, {**BODY}, token.encode())
    assert [each.connection.name for each in told.among(decided())] == names(decided())


@pytest.mark.parametrize(("who", "body"), [(OTHER, BODY), (WHO, {"input": "y"})])
def test_another_client_or_body_is_refused(who: Principal, body: dict[str, object]) -> None:
    token, _ = tokens().sign(WHO, BODY, decided())
    with pytest.raises(Unprocessable) as refusal:
        tokens().read(who, body, token.encode())
    assert refusal.value.code == "explanation_mismatch"


def test_a_token_ends_after_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    token, ends_us = tokens().sign(WHO, BODY, decided())
    monkeypatch.setattr(explain_tokens, "now_us", lambda: ends_us)
    with pytest.raises(Unprocessable) as refusal:
        tokens().read(WHO, BODY, token.encode())
    assert refusal.value.code == "explanation_expired"


@given(raw=st.binary(max_size=200), place=st.integers(0, 400))
def test_nothing_but_a_whole_token_is_read(raw: bytes, place: int) -> None:
    token = tokens().sign(WHO, BODY, decided())[0].encode()
    place %= len(token) - 1
    changed = token[:place] + bytes([token[place] ^ 1]) + token[place + 1 :]
    for forged in (raw, b"exp_" + raw, changed):
        with pytest.raises(Unprocessable):
            tokens().read(WHO, BODY, forged)
