"""Standard Webhooks, held against a verifier of its own that was written from the specification's text alone."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit.secret import Secret
from aiservice.kit.webhooks import NotSigned, key_of, new_secret, signed, verify

NOW = 1_790_000_000
bodies = st.binary(max_size=200)


def receiver_accepts(secret: str, headers: dict[str, str], body: bytes, now: int) -> bool:
    """The specification, step by step: strip `whsec_`, decode, HMAC-SHA256 over `id.timestamp.payload`, compare with
    every `v1,` signature of the space-separated list, refuse a timestamp outside the tolerance."""
    scheme, _, encoded = secret.partition("_")
    if scheme != "whsec" or len(base64.b64decode(encoded)) < 24:
        return False
    if not headers["webhook-timestamp"].isdigit() or abs(now - int(headers["webhook-timestamp"])) > 300:
        return False
    content = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    ours = base64.b64encode(hmac.digest(base64.b64decode(encoded), content, hashlib.sha256)).decode()
    listed = [entry.split(",", 1) for entry in headers["webhook-signature"].split(" ")]
    return any(entry[0] == "v1" and hmac.compare_digest(entry[1], ours) for entry in listed)


def test_the_specifications_own_example() -> None:
    """From the reference libraries' tests (svix, standard-webhooks)."""
    key = key_of(Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    headers = dict(signed([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}'))
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(body=bodies, age=st.integers(-300, 300))
def test_t75_a_verifier_of_the_specification_accepts_ours(body: bytes, age: int) -> None:
    secret = new_secret()
    headers = dict(signed([key_of(secret)], "msg_1", NOW, body))
    assert receiver_accepts(secret.reveal_text(), headers, body, NOW + age)
    assert verify([secret], headers, body, NOW + age) == "msg_1"


@given(body=st.binary(min_size=1, max_size=200), place=st.integers(0), bit=st.integers(0, 7))
def test_t75_a_changed_byte_is_refused(body: bytes, place: int, bit: int) -> None:
    secret = new_secret()
    headers = dict(signed([key_of(secret)], "msg_1", NOW, body))
    changed = bytearray(body)
    changed[place % len(body)] ^= 1 << bit
    assert not receiver_accepts(secret.reveal_text(), headers, bytes(changed), NOW)
    with pytest.raises(NotSigned):
        verify([secret], headers, bytes(changed), NOW)


@given(name=st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), text=st.text(max_size=60))
def test_t75_a_changed_header_is_refused(name: str, text: str) -> None:
    secret = new_secret()
    headers = dict(signed([key_of(secret)], "msg_1", NOW, b"{}"))
    if headers[name] == text:
        return
    with pytest.raises(NotSigned):
        verify([secret], {**headers, name: text}, b"{}", NOW)


@pytest.mark.parametrize("off", [301, -301, 86_400])
def test_t75_an_old_or_future_message_is_refused(off: int) -> None:
    secret = new_secret()
    headers = dict(signed([key_of(secret)], "msg_1", NOW, b"{}"))
    assert not receiver_accepts(secret.reveal_text(), headers, b"{}", NOW + off)
    with pytest.raises(NotSigned, match="five minutes"):
        verify([secret], headers, b"{}", NOW + off)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        "whsec_AAAA",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa?w",
        "whsec_ä",
    ],
)
def test_t75_an_empty_or_short_secret_is_refused_at_load(text: str) -> None:
    with pytest.raises(ValueError, match="24 to 64"):
        key_of(Secret(text))


def test_t75_a_message_signed_with_the_empty_secret_is_refused() -> None:
    forged = dict(signed([b""], "msg_1", NOW, b"{}"))
    with pytest.raises(NotSigned):
        verify([new_secret()], forged, b"{}", NOW)
    with pytest.raises(ValueError, match="24 to 64"):
        verify([Secret("whsec_")], forged, b"{}", NOW)
    with pytest.raises(ValueError, match="no webhook secret"):
        verify([], forged, b"{}", NOW)


def test_while_a_secret_is_replaced_both_verify() -> None:
    old, new, other = new_secret(), new_secret(), new_secret()
    headers = dict(signed([key_of(new), key_of(old)], "msg_1", NOW, b"{}"))
    for secret in (old, new):
        assert receiver_accepts(secret.reveal_text(), headers, b"{}", NOW)
        assert verify([secret], headers, b"{}", NOW) == "msg_1"
    assert not receiver_accepts(other.reveal_text(), headers, b"{}", NOW)


@pytest.mark.parametrize("message_id", ["", "a.b", "a b", "x" * 129, "ä"])
def test_an_id_that_could_be_confused_with_another_message_is_not_signed(message_id: str) -> None:
    with pytest.raises(ValueError, match="id or time"):
        signed([b"k" * 24], message_id, NOW, b"{}")
