"""What authenticates a call: a signature over it, or a key that is sent as it is."""

from aiservice.kit.secret import Secret
from aiservice.providers._base import Credential
from aiservice.providers._bedrock.address import place_of
from aiservice.providers._bedrock.keys import pair_in
from aiservice.providers._bedrock.signing import Signing


def credential_of(key: Secret, base_url: str) -> Credential:
    """What makes the headers that authenticate a call, sent to `base_url` at that moment.

    Raises:
        ValueError: the key is none of AWS's.
    """
    pair = pair_in(key.reveal_text())
    if pair is None:
        return lambda _call: (("authorization", f"Bearer {key.reveal_text()}"),)
    return Signing(pair, base_url, place_of(base_url))
