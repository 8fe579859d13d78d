"""What models were shown to do: seen in recorded traffic that comes through the gateway as it was recorded.

The data is made by `python -m tests.replay.shown`, which replays every recording; `source` and `date` in it say of what
and when. It says what was seen and nothing else: what is not there was not tried, and is not "cannot".
"""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import orjson


class Shown(NamedTuple):
    """`models` is kind → model → names of fields of `Capabilities`, and of what routing does not ask for."""

    source: str
    date: str
    models: dict[str, dict[str, tuple[str, ...]]]


@cache
def matrix() -> Shown:
    """All that was shown; read once."""
    said = orjson.loads(files("aiservice.providers").joinpath("shown.json").read_bytes())
    models = {kind: {name: tuple(done) for name, done in held.items()} for kind, held in said["shown"].items()}
    return Shown(said["source"], said["date"], models)


def shown_of(kind: str, model: str) -> tuple[str, ...]:
    """What `model` was shown to do behind a connection of `kind`, in alphabetical order."""
    return matrix().models.get(kind, {}).get(model, ())
