"""AWS Signature Version 4, made by botocore: nothing of it but `auth`, which asks nobody anything.

Imported late (it takes a tenth of a second): see `Provider.prepare`.
"""

import logging
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth

from aiservice.providers._bedrock.address import Place
from aiservice.providers._bedrock.keys import KeyPair
from aiservice.wire import HttpCall

# At level DEBUG it writes down what it signs, and with that a session's token.
logging.getLogger("botocore").setLevel(logging.WARNING)
_NOBODY = SigV4Auth(None, "", "")  # what does not depend on who signs
_MADE = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")


class _Headers(dict[str, str]):
    """The headers to sign, as the signer asks for them; each is there once."""

    def get_all(self, name: str) -> list[str]:
        return [self[name]]


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
        self.headers_to_sign: _Headers | None = None


class _Signer(SigV4Auth):  # type: ignore[misc]  # untyped
    def headers_to_sign(self, request: _Request) -> _Headers:
        """All of them, by their names in lower case; it is asked twice a signature, when all of them are there."""
        if request.headers_to_sign is None:
            headers = _Headers({name.lower(): value for name, value in request.headers.items()})
            headers["host"] = _host_of(request.url)
            request.headers_to_sign = headers
        return request.headers_to_sign

    def _normalize_url_path(self, path: str) -> str:
        return _canonical(path)


@lru_cache(maxsize=1024)  # there are as many as models
def _canonical(path: str) -> str:
    escaped: str = SigV4Auth._normalize_url_path(_NOBODY, path)
    return escaped


@lru_cache(maxsize=256)
def _host_of(url: str) -> str:
    """What the transport sends as `host`: a scheme's usual port is left out."""
    parts = urlsplit(url)
    is_usual = parts.port in (None, 443 if parts.scheme == "https" else 80)
    return parts.netloc.rpartition(":")[0] if is_usual and parts.port is not None else parts.netloc


def signed_headers(pair: KeyPair, call: HttpCall, base_url: str, place: Place) -> tuple[tuple[str, str], ...]:
    """The headers that authenticate `call` now, to be sent within five minutes."""
    request = _Request(call, base_url)
    _Signer(pair, place.service, place.region).add_auth(request)
    return tuple((name.lower(), request.headers[name]) for name in _MADE if name in request.headers)
