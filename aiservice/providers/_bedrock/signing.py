"""AWS Signature Version 4, made by botocore: nothing of it but `auth`, which asks nobody anything.

Imported late (it takes a tenth of a second): see `Provider.prepare`.
"""

import logging
from typing import Any

from botocore.auth import SigV4Auth

from aiservice.providers._bedrock.address import Place
from aiservice.providers._bedrock.keys import KeyPair
from aiservice.wire import HttpCall

# At level DEBUG it writes down what it signs, and with that a session's token.
logging.getLogger("botocore").setLevel(logging.WARNING)
_MADE = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")


class _Request:
    """What the signer reads and writes of a request; botocore's own class costs as much again as the signature."""

    __slots__ = ("body", "context", "headers", "headers_to_sign", "method", "params", "url")

    def __init__(self, call: HttpCall, base_url: str) -> None:
        self.method = call.method
        self.url = base_url + call.path
        self.headers = dict(call.headers)
        self.body = call.body
        self.params: dict[str, str] = {}
        self.context: dict[str, Any] = {}
        self.headers_to_sign: Any = None


class _Signer(SigV4Auth):  # type: ignore[misc]  # untyped
    def headers_to_sign(self, request: _Request) -> Any:
        """The same each time it is asked, which is twice a signature; by then all of them are there."""
        if request.headers_to_sign is None:
            request.headers_to_sign = super().headers_to_sign(request)
        return request.headers_to_sign


def signed_headers(pair: KeyPair, call: HttpCall, base_url: str, place: Place) -> tuple[tuple[str, str], ...]:
    """The headers that authenticate `call` now, to be sent within five minutes."""
    request = _Request(call, base_url)
    _Signer(pair, place.service, place.region).add_auth(request)
    return tuple((name.lower(), request.headers[name]) for name in _MADE if name in request.headers)
