"""Explain tokens: what an explanation said, signed, so that the call that brings it back takes that same decision.

A token is bound to its client and to the body that was explained, and holds for five minutes; it holds no secret and
gives no right: the places it names must still be among those that the caller may use. Fails closed: a token that does
not verify is refused, never left out of account.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass

import orjson

from aiservice.errors import BrokerError, Conflict, Unprocessable
from aiservice.kit.clock import SECOND_US, now_us
from aiservice.principal import Principal
from aiservice.services.candidates import Candidate
from aiservice.services.routing import Decided
from aiservice.services.vault import Vault

TTL_SECONDS = 300
_LABEL = b"explain tokens v1"
_PREFIX = "exp_"
_MAC_BYTES = 16
_MAX_TOKEN = 4_000

Body = dict[str, object]


@dataclass(slots=True, frozen=True)
class Told:
    """A verified token: (connection id, its revision, model) of each place, in order."""

    places: tuple[tuple[str, int, str], ...]

    def among(self, decided: Decided) -> tuple[Candidate, ...]:
        """The places that were told, each as the caller may use it now.

        Raises:
            Conflict: one of them is not there any more, or has another key or address.
        """
        removed = {candidate for candidate, _ in decided.removed}
        may_use = {
            (each.connection.id, each.connection.revision, each.model): each
            for each in decided.places
            if each not in removed
        }
        if not all(place in may_use for place in self.places):
            raise Conflict(
                "What was explained cannot be done any more: a place that it named has changed, or may not be used. "
                "Ask POST /ai-service/explain again, or make the call without x-aiservice-explain.",
                code="explanation_outdated",
                param="x-aiservice-explain",
            )
        chosen = {(each.connection.id, each.model): each for each in decided.candidates}
        return tuple(chosen.get((place[0], place[2]), may_use[place]) for place in self.places)


class ExplainTokens:
    """Signs and checks."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def sign(self, principal: Principal, body: Body, decided: Decided) -> tuple[str, int]:
        """The token, and when it ends (microseconds UTC)."""
        ends_us = now_us() + TTL_SECONDS * SECOND_US
        places = [[one.connection.id, one.connection.revision, one.model] for one in decided.candidates]
        payload = orjson.dumps([ends_us // SECOND_US, places])
        return _PREFIX + _text(self._mac(principal, body, payload) + payload), ends_us

    def read(self, principal: Principal, body: Body, token: bytes) -> Told:
        """What a token says.

        Raises:
            Unprocessable: it is none of ours, another client's, of another body, or too old.
        """
        raw = _bytes(token)
        mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not raw or not hmac.compare_digest(mac, self._mac(principal, body, payload)):
            raise _refused("is not of this client and this body", "explanation_mismatch")
        ends_s, places = orjson.loads(payload)
        if ends_s * SECOND_US <= now_us():
            raise _refused("has expired", "explanation_expired")
        return Told(tuple((str(one), int(revision), str(model)) for one, revision, model in places))

    def _mac(self, principal: Principal, body: Body, payload: bytes) -> bytes:
        said = hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()
        message = b"\0".join((principal.client_id.encode(), said, payload))
        return hmac.digest(self._vault.derive(_LABEL), message, "sha256")[:_MAC_BYTES]


def _refused(why: str, code: str) -> BrokerError:
    return Unprocessable(
        f"The token in x-aiservice-explain {why}. Ask POST /ai-service/explain again with the body of the call.",
        code=code,
        param="x-aiservice-explain",
    )


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(token: bytes) -> bytes:
    """What is in a token; empty where it is none."""
    text = token.removeprefix(_PREFIX.encode())
    if len(token) > _MAX_TOKEN or len(text) == len(token):
        return b""
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""
