"""AWS Signature Version 4 (docs.aws.amazon.com, "sigv4-create-signed-request"), for bodies that are at hand.

    canonical  method, path escaped once more, query sorted, headers sorted, their names, hash of the body; a line each
    signed     "AWS4-HMAC-SHA256", moment, day/region/service/aws4_request, hash of canonical; a line each
    key        HMAC-SHA-256 over day, region, service and "aws4_request" in turn, beginning with "AWS4" || secret

What only changes with the day (the key), the second (the moment) or the form of a call (all of the canonical request
but moment and body) is worked out once. That it is what AWS's own library signs is a property of the tests.
"""

import hmac
import time
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

from aiservice.providers._bedrock.address import Place
from aiservice.providers._bedrock.keys import KeyPair
from aiservice.wire import HttpCall

_METHOD: Final = "AWS4-HMAC-SHA256"
_DATE, _TOKEN = "x-amz-date", "x-amz-security-token"
_MOST_FORMS: Final = 256  # there are as many as models, times two


class _Form(NamedTuple):
    """The canonical request of a kind of call, around its moment and before its body's hash; and the headers' names."""

    before: str
    after: str
    names: str


class Signing:
    """What authenticates the calls of one target, and lives as long as that."""

    __slots__ = (
        "_base_url", "_clock", "_credential", "_day", "_forms", "_head", "_pair", "_place", "_second", "_signing",
        "_stamp",
    )  # fmt: skip

    def __init__(self, pair: KeyPair, base_url: str, place: Place, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives seconds since the epoch."""
        self._pair, self._base_url, self._place, self._clock = pair, base_url, place, clock
        self._forms: dict[tuple[str, str, tuple[tuple[str, str], ...]], _Form] = {}
        self._second, self._day = -1, ""
        self._tick(int(clock()))

    def __call__(self, call: HttpCall) -> tuple[tuple[str, str], ...]:
        """The headers that authenticate `call` now, to be sent within five minutes."""
        second = int(self._clock())
        if second != self._second:
            self._tick(second)
        form = self._forms.get((call.method, call.path, call.headers)) or self._form_of(call)
        canonical = form.before + self._stamp + form.after + sha256(call.body).hexdigest()
        signature = self._signing.copy()
        signature.update((self._head + sha256(canonical.encode()).hexdigest()).encode())
        said = f"{self._credential}{form.names}, Signature={signature.hexdigest()}"
        if self._pair.token is None:
            return ("authorization", said), (_DATE, self._stamp)
        return ("authorization", said), (_DATE, self._stamp), (_TOKEN, self._pair.token)

    def _tick(self, second: int) -> None:
        """Another second, and perhaps another day: a clock may go back, too."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        scope = f"{stamp[:8]}/{self._place.region}/{self._place.service}/aws4_request"
        if self._day != stamp[:8]:
            key = b"AWS4" + self._pair.secret_key.encode()
            for part in scope.split("/"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._day, self._signing = stamp[:8], hmac.new(key, digestmod="sha256")
            self._credential = f"{_METHOD} Credential={self._pair.access_key}/{scope}, SignedHeaders="
        self._head = f"{_METHOD}\n{stamp}\n{scope}\n"
        self._second, self._stamp = second, stamp

    def _form_of(self, call: HttpCall) -> _Form:
        url = self._base_url + call.path
        parts = urlsplit(url)
        headers = {name.lower(): " ".join(value.split()) for name, value in call.headers}
        headers |= {"host": _host_of(url), _DATE: ""}
        if self._pair.token is not None:
            headers[_TOKEN] = self._pair.token
        names = sorted(headers)
        at = names.index(_DATE)
        lines = [f"{name}:{headers[name]}\n" for name in names]
        begin = [f"{call.method}\n{_canonical_path(parts.path)}\n{_canonical_query(parts.query)}\n", *lines[:at]]
        signed = ";".join(names)
        form = _Form("".join([*begin, f"{_DATE}:"]), "".join(["\n", *lines[at + 1 :], f"\n{signed}\n"]), signed)
        if len(self._forms) >= _MOST_FORMS:
            self._forms.clear()
        self._forms[call.method, call.path, call.headers] = form
        return form


def _canonical_path(path: str) -> str:
    """Escaped once more than it is sent, without empty segments and dots."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    ending = "/" if kept and path.endswith("/") else ""
    return quote("/" + "/".join(kept) + ending, safe="/~")


def _canonical_query(query: str) -> str:
    """Sorted by names, and then by values."""
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&")) if query else []
    return "&".join([f"{name}={value}" for name, value in pairs])


@lru_cache(maxsize=256)
def _host_of(url: str) -> str:
    """What the transport sends as `host`: a scheme's usual port is left out."""
    parts = urlsplit(url)
    is_usual = parts.port in (None, 443 if parts.scheme == "https" else 80)
    return parts.netloc.rpartition(":")[0] if is_usual and parts.port is not None else parts.netloc
