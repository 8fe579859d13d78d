"""What authenticates a call: a signature over it, or a key that is sent as it is."""

from aiservice.kit.secret import Secret
from aiservice.providers._bedrock.address import place_of
from aiservice.providers._bedrock.keys import pair_in
from aiservice.wire import HttpCall


def load_signer() -> None:
    """Loads what signs, which takes a tenth of a second."""
    from aiservice.providers._bedrock import signing as _signing  # noqa: F401, PLC0415 - see above


def credential_headers(key: Secret, call: HttpCall, base_url: str) -> tuple[tuple[str, str], ...]:
    """The headers that authenticate `call`, sent to `base_url` now.

    Raises:
        ValueError: the key is none of AWS's.
    """
    text = key.reveal_text()
    pair = pair_in(text)
    if pair is None:
        return (("authorization", f"Bearer {text}"),)
    from aiservice.providers._bedrock.signing import signed_headers  # noqa: PLC0415 - see `load_signer`

    return signed_headers(pair, call, base_url, place_of(base_url))
