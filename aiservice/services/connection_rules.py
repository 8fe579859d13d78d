"""What a provider connection may hold, checked before anything is stored. Nothing here quotes a key."""

import hashlib
import hmac
import re
from collections.abc import Mapping

from aiservice.errors import InvalidRequest, Unprocessable
from aiservice.kit.secret import Secret
from aiservice.providers import registry
from aiservice.providers._base import Provider
from aiservice.services.names import shown, suggestion
from aiservice.services.routing_terms import DATA_COLLECTIONS
from aiservice.upstream.guard import check_base_url

MAX_MODELS = 2000
MAX_MODEL = 200
MAX_WEIGHT = 1000
MAX_QUOTA = 10**9
LEAST_PROBE_SECONDS, MOST_PROBE_SECONDS = 10, 86_400
_MAX_KEY_BYTES = 4096
_HINT = 4
_MIN_HINTED = 12  # a shorter key would be half given away by its last four characters


def known_kind(kind: str) -> Provider:
    """The provider called `kind`.

    Raises:
        Unprocessable: there is none; the message names the nearest.
    """
    provider = registry().get(kind)
    if provider is None:
        raise Unprocessable(
            f"'{shown(kind)}' is not a kind of provider.{suggestion(kind, registry())}",
            code="unknown_provider_kind",
            param="kind",
        )
    return provider


def clean_address(provider: Provider, base_url: str | None, *, is_private_allowed: bool) -> str:
    """The address to store: as given and checked, else the provider's own; empty for one inside this process.

    Raises:
        InvalidRequest, Unprocessable: not an address that this connection may have.
    """
    if provider.is_local:
        if base_url:
            raise Unprocessable(f"{provider.title} has no address.", code="base_url_not_allowed", param="base_url")
        return ""
    chosen = (base_url or "").strip() or provider.default_base_url
    if not chosen:
        example = provider.address_hint or "https://api.example.com/v1"
        raise Unprocessable(
            f"A connection of kind {provider.kind} needs its base URL, like {example} "
            "(on the command line: --base-url).",
            code="base_url_required",
            param="base_url",
        )
    return check_base_url(provider.address(chosen), is_private_allowed).url


def clean_secret(provider: Provider, secret: Secret | None) -> Secret | None:
    """The provider key without white space around it; None where there is none and none is needed.

    Raises:
        Unprocessable: missing, too long, or not sendable in a header.
    """
    raw = secret.reveal().strip() if secret is not None else b""
    if not raw:
        if provider.needs_key:
            looks = f" It is {provider.key_hint}." if provider.key_hint else ""
            raise Unprocessable(
                f"A connection of kind {provider.kind} needs a key (on the command line: on standard input).{looks}",
                code="key_required",
                param="key",
            )
        return None
    if provider.is_local:
        raise Unprocessable(f"{provider.title} takes no key.", code="key_not_allowed", param="key")
    try:
        raw = provider.normal_key(raw)
    except ValueError as exc:
        raise Unprocessable(str(exc), code="invalid_key", param="key") from None
    if len(raw) > _MAX_KEY_BYTES or not all(0x21 <= byte <= 0x7E for byte in raw):
        raise Unprocessable(
            f"The key holds characters that no provider key has (spaces, line breaks, accents), or is longer than "
            f"{_MAX_KEY_BYTES} characters. Paste it again, alone.",
            code="invalid_key",
            param="key",
        )
    return Secret(raw)


def hint(secret: Secret | None) -> str:
    """The last four characters, by which people tell keys apart."""
    text = secret.reveal_text() if secret is not None else ""
    return text[-_HINT:] if len(text) >= _MIN_HINTED else ""


def fingerprint(derived_key: bytes, secret: Secret | None) -> str:
    """HMAC-SHA-256 of the key, 32 hex digits: equal for equal keys, and useless without `derived_key`."""
    return "" if secret is None else hmac.new(derived_key, secret.reveal(), hashlib.sha256).hexdigest()[:32]


def clean_probe_interval(every_seconds: int | None) -> int | None:
    """How often a connection is probed: seconds, 0 for never, None for as often as the settings say.

    Raises:
        Unprocessable: more often than its provider would like, or less than once a day.
    """
    if every_seconds and not LEAST_PROBE_SECONDS <= every_seconds <= MOST_PROBE_SECONDS:
        raise Unprocessable(
            f"A connection is probed every {LEAST_PROBE_SECONDS} to {MOST_PROBE_SECONDS} seconds, or never (0).",
            code="invalid_value",
            param="probe_every",
        )
    return every_seconds


def clean_models(models: list[str] | None) -> list[str] | None:
    """The model names, each once, in the order given.

    Raises:
        Unprocessable: too many, or one that cannot be a model's name.
    """
    if models is None:
        return None
    if len(models) > MAX_MODELS:
        raise Unprocessable(f"At most {MAX_MODELS} models can be listed.", code="too_many_models", param="models")
    for model in models:
        if not is_model_name(model):
            raise Unprocessable(f"'{shown(model)}' is not a model's name.", code="invalid_model", param="models")
    return list(dict.fromkeys(models))


def is_model_name(text: str) -> bool:
    """Whether `text` can be a model's name: 1 to 200 printable characters without a space."""
    return bool(text) and len(text) <= MAX_MODEL and text.isprintable() and " " not in text


def clean_weight(weight: int) -> int:
    """The weight, 1 to 1000.

    Raises:
        InvalidRequest: outside that.
    """
    if not 1 <= weight <= MAX_WEIGHT:
        raise InvalidRequest(f"The weight must be between 1 and {MAX_WEIGHT}.", code="invalid_weight", param="weight")
    return weight


def clean_quota(rpm: int | None, tpm: int | None) -> dict[str, int | None]:
    """What a provider gives in a minute, as it is stored; None and 0 are "nobody said".

    Raises:
        Unprocessable: outside 0 to a thousand million.
    """
    for name, amount in (("rpm", rpm), ("tpm", tpm)):
        if amount is not None and not 0 <= amount <= MAX_QUOTA:
            raise Unprocessable(f"{name} takes 1 to {MAX_QUOTA:,}, or 0 for none.", code="invalid_quota", param=name)
    return {"rpm": rpm or None, "tpm": tpm or None}


Stated = Mapping[str, str | bool | None]
"""Of `data_collection`, `is_zdr` and `region` those that are stated anew; empty takes one back."""


def clean_data(stated: Stated) -> dict[str, object]:
    """What is stated of a provider's dealings with data, as it is stored.

    Raises:
        Unprocessable: no such word, or a region that is none.
    """
    collection, region = stated.get("data_collection") or None, stated.get("region") or None
    if collection not in (None, *DATA_COLLECTIONS):
        raise Unprocessable(
            "data_collection is 'allow' or 'deny'.", code="invalid_data_policy", param="data_collection"
        )
    if region is not None and not (isinstance(region, str) and _REGION.fullmatch(region)):
        raise Unprocessable(
            "A region is a short name in lower case, such as eu or us-east-1.", code="invalid_region", param="region"
        )
    clean = {"data_collection": collection, "is_zdr": stated.get("is_zdr"), "region": region}
    return {name: clean[name] for name in stated}


_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
