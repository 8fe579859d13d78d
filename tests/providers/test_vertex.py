"""Vertex AI's keys, addresses, and what it is refused: what needs no gateway to be seen."""

import base64
import string
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit.secret import Secret
from aiservice.providers._base import AttemptFailed
from aiservice.providers.vertex import PROVIDER
from aiservice.wire import GOOGLE_WIRE, Ask, Blame, HttpReply

_USER = {"type": "authorized_user", "client_id": "id", "client_secret": "s", "refresh_token": "r", "account": ""}
_PROJECT = "https://europe-west4-aiplatform.googleapis.com/v1/projects/p-1/locations/europe-west4"


def _ask(**body: Any) -> Ask:
    return Ask("chat", "chat", {"messages": [{"role": "user", "content": "hi"}], **body})


def test_an_api_key_is_sent_as_it_is() -> None:
    assert PROVIDER.normal_key(b"AQ.Ab8-express") == b"AQ.Ab8-express"
    key = Secret(b"AQ.Ab8-express")
    assert PROVIDER.exchange(key) is None
    assert PROVIDER.auth_headers(key) == (("x-goog-api-key", "AQ.Ab8-express"),)


def test_a_users_credential_is_exchanged_by_its_refresh_token() -> None:
    stored = PROVIDER.normal_key(orjson.dumps(_USER, option=orjson.OPT_INDENT_2))
    assert PROVIDER.normal_key(stored) == stored
    exchange = PROVIDER.exchange(Secret(stored))
    assert exchange is not None
    assert exchange.token_url == "https://oauth2.googleapis.com/token"
    assert exchange.call(1).body == b"grant_type=refresh_token&client_id=id&client_secret=s&refresh_token=r"
    bought = exchange.read(HttpReply(200, {}, b'{"access_token": "ya29.x", "expires_in": 3599}'))
    assert (bought.lifetime_seconds, PROVIDER.auth_headers(bought.key)) == (3599, (("authorization", "Bearer ya29.x"),))


@pytest.mark.parametrize(
    ("status", "body", "blame"),
    [
        (400, b'{"error": "invalid_grant"}', Blame.FAILOVER),
        (503, b"<html>", Blame.RETRY),
        (200, b'{"access_token": 5}', Blame.FAILOVER),
        (200, b"[]", Blame.FAILOVER),
    ],
)
def test_an_exchange_that_gives_no_token_is_a_failure(status: int, body: bytes, blame: Blame) -> None:
    exchange = PROVIDER.exchange(Secret(PROVIDER.normal_key(orjson.dumps(_USER))))
    assert exchange is not None
    with pytest.raises(AttemptFailed) as caught:
        exchange.read(HttpReply(status, {}, body))
    failure = caught.value.failure
    assert (failure.status, failure.code, failure.blame) == (502, "upstream_token_refused", blame)


@given(
    st.one_of(
        st.text(string.printable).map(lambda text: "{" + text),
        st.dictionaries(st.sampled_from([*_USER, "private_key", "client_email"]), st.text(max_size=9)).map(
            lambda said: orjson.dumps(said).decode()
        ),
        st.just(orjson.dumps({"type": "service_account", "client_email": "a", "private_key": "-----BEGIN"}).decode()),
    )
)
def test_json_that_is_no_credential_is_refused_without_a_word_of_it(text: str) -> None:
    try:
        stored = PROVIDER.normal_key(text.encode())
    except ValueError as exc:
        assert "Paste" in str(exc) or "make a key" in str(exc)
    else:
        assert orjson.loads(base64.b64decode(stored.removeprefix(b"json:")))["type"] == "authorized_user"


def test_an_address_is_stored_without_a_publisher_and_models_are_listed_outside_of_projects() -> None:
    assert PROVIDER.address(f"{_PROJECT}/publishers/google/models/") == _PROJECT
    host = "https://europe-west4-aiplatform.googleapis.com/v1beta1"
    assert PROVIDER.probe_root(_PROJECT) == host
    assert PROVIDER.probe_root("https://aiplatform.googleapis.com/v1") == "https://aiplatform.googleapis.com/v1beta1"


@pytest.mark.parametrize("model", ["../x", "a/b/c", "claude-/../x", "x?y", "gemini-2.5-flash:predict"])
def test_a_name_that_could_lead_elsewhere_never_becomes_a_path(model: str) -> None:
    with pytest.raises(AttemptFailed) as caught:
        PROVIDER.build(_ask(), model)
    assert caught.value.failure.code == "model_not_found"


def test_who_speaks_no_word_of_google_is_refused_what_claude_has_not() -> None:
    ask = Ask("chat", "chat", {"messages": []}, wire=GOOGLE_WIRE, native={"contents": []}, uncarried=("tools[0].x",))
    with pytest.raises(AttemptFailed) as caught:
        PROVIDER.build(ask, "claude-sonnet-4-5@20250929")
    assert caught.value.failure.param == "tools[0].x"


def test_claudes_errors_are_read_in_anthropics_words_and_others_in_googles() -> None:
    theirs = b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'
    assert PROVIDER.failure(HttpReply(529, {}, theirs)).upstream_status == 529
    missing = (
        b'{"error":{"code":401,"message":"no","status":"UNAUTHENTICATED","details":[{"reason":"CREDENTIALS_MISSING"}]}}'
    )
    assert PROVIDER.failure(HttpReply(401, {}, missing)).code == "upstream_auth_failed"
    assert PROVIDER.failure(HttpReply(429, {}, b'{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}')).status == 429


def test_models_know_their_work_by_their_names() -> None:
    assert PROVIDER.serves("claude-opus-4-7", "chat")
    assert not PROVIDER.serves("claude-opus-4-7", "embedding")
    assert PROVIDER.serves("text-embedding-005", "embedding")
    assert not PROVIDER.serves("multimodalembedding", "embedding")
    assert PROVIDER.capabilities("claude-sonnet-4-5@20250929").tools is True


def test_public_addresses_are_left_to_vertex_to_load_whatever_the_model() -> None:
    part = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    ask = _ask(messages=[{"role": "user", "content": [part]}])
    sent = orjson.loads(PROVIDER.build(ask, "gemini-2.0-flash").body)
    assert sent["contents"][0]["parts"][0]["fileData"]["fileUri"] == "https://example.com/a.png"
