"""AWS Signature Version 4, made by botocore: nothing of it but `auth`, which asks nobody anything.

Imported late (it takes a tenth of a second): see `Provider.prepare`.
"""

import hmac
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
    """botocore's steps for one key and place. What only changes with the day is worked out once: the key that signs."""

    def __init__(self, pair: KeyPair, place: Place) -> None:
        super().__init__(pair, place.service, place.region)
        self._day = ""
        self._signing: hmac.HMAC | None = None

    def headers_to_sign(self, request: _Request) -> _Headers:
        """All of them, by their names in lower case; it is asked twice a signature, when all of them are there."""
        if request.headers_to_sign is None:
            headers = _Headers({name.lower(): value for name, value in request.headers.items()})
            headers["host"] = _host_of(request.url)
            request.headers_to_sign = headers
        return request.headers_to_sign

    def signature(self, string_to_sign: str, request: _Request) -> str:
        """botocore's, whose first four steps hold nothing but the secret, the day and the place."""
        day = request.context["timestamp"][:8]
        if self._signing is None or self._day != day:
            key = b"AWS4" + self.credentials.secret_key.encode()
            for part in (day, self._region_name, self._service_name, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._day, self._signing = day, hmac.new(key, digestmod="sha256")
        signing = self._signing.copy()
        signing.update(string_to_sign.encode())
        return signing.hexdigest()

    def signed_headers(self, headers_to_sign: _Headers) -> str:
        return _names_of(tuple(headers_to_sign))

    def canonical_headers(self, headers_to_sign: _Headers) -> str:
        return "\n".join([f"{name}:{' '.join(headers_to_sign[name].split())}" for name in sorted(headers_to_sign)])

    def canonical_query_string(self, request: _Request) -> str:
        said: str = super().canonical_query_string(request) if "?" in request.url else ""
        return said

    def _normalize_url_path(self, path: str) -> str:
        return _canonical(path)


@lru_cache(maxsize=64)
def _names_of(names: tuple[str, ...]) -> str:
    return ";".join(sorted(names))


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


class Signing:
    """What authenticates the calls of one target, and lives as long as that: it remembers what signs today."""

    __slots__ = ("_base_url", "_signer")

    def __init__(self, pair: KeyPair, base_url: str, place: Place) -> None:
        self._base_url = base_url
        self._signer = _Signer(pair, place)

    def __call__(self, call: HttpCall) -> tuple[tuple[str, str], ...]:
        """The headers that authenticate `call` now, to be sent within five minutes."""
        request = _Request(call, self._base_url)
        self._signer.add_auth(request)
        return tuple((name.lower(), request.headers[name]) for name in _MADE if name in request.headers)
