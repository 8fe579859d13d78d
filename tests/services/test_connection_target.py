"""Where a connection's calls go, and what makes their credential."""

import pytest

from aiservice.errors import Unprocessable
from aiservice.kit.secret import Secret
from aiservice.providers._base import Credential
from aiservice.providers.openai_compatible import OpenAiCompatible
from aiservice.services.connection_rules import clean_secret
from aiservice.services.connection_target import target_of
from aiservice.services.connection_views import ConnectionView
from aiservice.upstream.failures import UpstreamFailure
from aiservice.upstream.outgoing import auth_headers
from aiservice.wire import HttpCall

CALL = HttpCall("/chat/completions", b"{}")
VIEW = ConnectionView("con_1", "own", "signing", "https://api.example.com/v1", False, None, (), 1, False, 3, 1, True)


class Signing(OpenAiCompatible):
    """A vendor whose key signs what is sent, and that lists its models at another host."""

    kind = "signing"
    needs_key = True
    key_hint = "ID:SECRET"

    def probe_root(self, base_url: str) -> str:
        return base_url.replace("//api.", "//control.")

    def normal_key(self, key: bytes) -> bytes:
        if b":" not in key:
            raise ValueError("The key is of two parts.")
        return key.replace(b" ", b"")

    def credential(self, key: Secret, base_url: str) -> Credential:
        text = key.reveal_text()
        if text == "none":
            raise ValueError("not a key")
        return lambda call: (("authorization", f"{text} {call.method} {base_url}{call.path} {len(call.body)}"),)


def test_a_key_that_signs_is_given_what_is_sent() -> None:
    target = target_of(VIEW, Signing(), Secret("id:key"))
    assert auth_headers(target.auth, CALL) == (
        ("authorization", "id:key POST https://api.example.com/v1/chat/completions 2"),
    )
    assert (target.connection_id, target.revision, "id:key" in repr(target)) == ("con_1", 3, False)


def test_a_key_that_is_sent_as_it_is_is_not_given_the_call() -> None:
    target = target_of(VIEW, OpenAiCompatible(), Secret("sk-1"))
    assert auth_headers(target.auth, CALL) == (("authorization", "Bearer sk-1"),)
    assert auth_headers(target_of(VIEW, OpenAiCompatible(), None).auth, CALL) == ()


def test_a_probe_at_another_host_has_sockets_of_its_own() -> None:
    target = target_of(VIEW, Signing(), Secret("id:key"), is_probe=True)
    assert (target.base.host, target.connection_id) == ("control.example.com", "con_1:probe")


def test_a_key_that_cannot_sign_is_our_failure_and_says_nothing_of_it() -> None:
    target = target_of(VIEW, Signing(), Secret("none"))
    with pytest.raises(UpstreamFailure) as caught:
        auth_headers(target.auth, CALL)
    assert (caught.value.failure.code, caught.value.__cause__) == ("upstream_credential_invalid", None)


def test_a_key_of_several_parts_is_stored_in_its_normal_form() -> None:
    cleaned = clean_secret(Signing(), Secret("  id : key\n"))
    assert cleaned is not None
    assert cleaned.reveal_text() == "id:key"
    with pytest.raises(Unprocessable, match="of two parts"):
        clean_secret(Signing(), Secret("sk-1"))
    with pytest.raises(Unprocessable, match="It is ID:SECRET"):
        clean_secret(Signing(), None)
