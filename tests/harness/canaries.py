"""Planted secrets and the search for them: plain, in base64 at any offset, URL-encoded, in hex, in JSON's escapes."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

from tests.harness.installation import Installation
from tests.harness.load import CANARY_PROMPT

_SHORTEST = 12  # a shorter text may stand anywhere by accident


@dataclass(slots=True, frozen=True)
class Find:
    """A canary where none may be. `form` says how it was written there."""

    canary: str
    form: str
    place: str


def forms_of(secret: str) -> dict[str, bytes]:
    """How a secret may look in a file; each form is long enough to be no accident."""
    raw = secret.encode()
    forms = {
        "plain": raw,
        "url": quote(secret, safe="").encode(),
        "url-path": quote(secret).encode(),
        "form": quote_plus(secret, safe="").encode(),
        "json": json.dumps(secret)[1:-1].encode(),
        "hex": raw.hex().encode(),
        "utf-16": secret.encode("utf-16-le"),
        "reversed": raw[::-1],
    }
    for offset in range(3):
        # The first and last characters depend on the neighbours; those between do not.
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            middle = encode(b"\0" * offset + raw)[(offset * 8 + 5) // 6 :]
            forms[f"{name}+{offset}"] = middle[: len(middle) // 4 * 4 - 4]
    return forms


def search(canaries: Mapping[str, str], places: Iterable[tuple[str, bytes]]) -> Iterator[Find]:
    """Every canary (by name) in every place (by name)."""
    wanted = [(name, form, text) for name, secret in canaries.items() for form, text in forms_of(secret).items()]
    for place, content in places:
        for name, form, text in wanted:
            if text in content:
                yield Find(name, form, place)


def read_files(paths: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        yield str(path), path.read_bytes()


def sweep(installations: Iterable[Installation]) -> list[str]:
    """Where the traces of these installations hold a secret that went through them, or the prompt of a load."""
    found = []
    for installation in installations:
        secrets = {f"secret {number}": text for number, text in enumerate(sorted(installation.secrets))}
        canaries = {name: text for name, text in secrets.items() if len(text) >= _SHORTEST}
        finds = search({**canaries, "prompt": CANARY_PROMPT}, read_files(installation.traces()))
        found += [f"{find.canary} ({find.form}) in {find.place}" for find in finds]
    return found
