"""A live test of a provider connection: does its address answer, does its key work, which models does it offer."""

import time
from dataclasses import dataclass

from aiservice.errors import Overloaded
from aiservice.kit.secret import Secret
from aiservice.providers._base import AttemptFailed, LocalProvider, Provider
from aiservice.services.connection_rules import MAX_MODELS, is_model_name, known_kind
from aiservice.services.connection_target import target_of
from aiservice.services.connection_views import ConnectionView
from aiservice.services.key_exchange import bought
from aiservice.settings import Deadlines
from aiservice.upstream.client import Upstream
from aiservice.upstream.failures import UpstreamFailure
from aiservice.wire import HttpReply

_DEADLINES = Deadlines(connect=5.0, first_byte=15.0, idle=10.0, total=20.0, progress=15.0)
_MAX_BYTES = 8 * 1024 * 1024
# What trying again later would not mend: such a connection is not worth saving.
_REJECTED = frozenset(
    {
        "upstream_auth_failed",
        "upstream_address_refused",
        "upstream_credential_invalid",
        "upstream_tls_failed",
        "upstream_token_refused",
    }
)


@dataclass(slots=True, frozen=True)
class ProbeResult:
    """What a live test found; `message` is in our words and holds no key. `latency_ms` is None without an answer."""

    is_ok: bool
    latency_ms: int | None
    models: tuple[str, ...] = ()
    code: str | None = None
    message: str = ""

    @property
    def is_rejected(self) -> bool:
        """Whether the address or key is wrong, and not merely away or busy right now."""
        return self.code in _REJECTED

    @property
    def summary(self) -> str:
        """One line for the list of connections."""
        if not self.is_ok:
            return f"{self.code}: {self.message}"
        count = len(self.models)
        return f"ok: {self.latency_ms} ms, {count} model{'' if count == 1 else 's'}"


async def probe(upstream: Upstream | None, connection: ConnectionView, key: Secret | None) -> ProbeResult:
    """Makes the provider's free request at the connection's address.

    Raises:
        Unprocessable: the connection's kind is not known to this release.
        Overloaded: this process was opened without a way out.
    """
    provider = known_kind(connection.kind).at(connection.base_url)
    began = time.monotonic()
    try:
        reply = await _ask(upstream, provider, connection, key)
    except (UpstreamFailure, AttemptFailed) as exc:
        return ProbeResult(False, None, code=exc.failure.code, message=exc.failure.message)
    latency_ms = round((time.monotonic() - began) * 1000)
    if reply.status != 200:
        failure = provider.failure(reply)
        if reply.status == 404:
            return ProbeResult(
                False,
                latency_ms,
                code="models_not_found",
                message="The address answers, but has no list of models there. Check its path (it often ends in /v1).",
            )
        # Its words for a request's caller speak of a stored key; here there may be none yet.
        is_key_refused = failure.code == "upstream_auth_failed"
        message = "The provider refused the key." if is_key_refused else failure.message
        return ProbeResult(False, latency_ms, code=failure.code, message=message)
    try:
        found = provider.models_in(reply)
    except AttemptFailed as exc:
        return ProbeResult(False, latency_ms, code=exc.failure.code, message=exc.failure.message)
    models = tuple(dict.fromkeys(model for model in found if is_model_name(model)))[:MAX_MODELS]
    return ProbeResult(True, latency_ms, models)


async def _ask(
    upstream: Upstream | None, provider: Provider, connection: ConnectionView, key: Secret | None
) -> HttpReply:
    call = provider.probe()
    if isinstance(provider, LocalProvider):
        return provider.serve(call)
    if upstream is None:
        raise Overloaded("This process was started without access to providers.", code="no_upstream")

    if key is not None and (exchange := provider.exchange(key)) is not None:
        key = (await bought(upstream, connection, exchange)).key
    target = target_of(connection, provider, key, is_probe=True)
    return await upstream.send(target, call, deadlines=_DEADLINES, max_bytes=_MAX_BYTES)
