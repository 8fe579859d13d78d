"""What work that is no chat reserves of a budget before it is sent."""

from types import SimpleNamespace
from typing import Any

from aiservice.dialects import openai_audio, openai_images
from aiservice.gateway.admit import most_output
from aiservice.gateway.charge import Charges
from aiservice.services.prices import Prices
from aiservice.wire import Usage

_AT_US = 1_790_000_000_000_000


def _reserved(model: str, at_most: Usage | None, kind: str = "openai") -> tuple[int, int]:
    """Nano-dollars for the prompt with its units, and for each token of the answer."""
    view = SimpleNamespace(kind=kind, base_url="")
    candidates: Any = (SimpleNamespace(connection=view, model=model),)
    spending: Any = None
    cost = Charges(spending, Prices())._cost(candidates, 100, _AT_US, at_most or Usage())
    return cost.money, cost.money_per_output


def test_a_recording_reserves_the_seconds_that_it_can_hold_at_most() -> None:
    sound = {"filename": "a.mp3", "content_type": "audio/mpeg", "data": bytes(60_000)}
    ask = openai_audio.DIALECT.read({"file": sound, "model": "whisper-1"}).ask
    assert _reserved("whisper-1", ask.at_most) == (6_000_000, 0)


def test_images_reserve_each_of_them_and_tokens_where_those_are_paid() -> None:
    drawn = openai_images.DIALECT.read({"prompt": "a", "n": 2, "quality": "hd", "model": "dall-e-3"}).ask
    assert _reserved("dall-e-3", drawn.at_most, "azure-openai") == (176_000_000, 0)
    by_token = openai_images.DIALECT.read({"prompt": "a", "n": 2, "model": "gpt-image-1"}).ask
    assert most_output(by_token) == 12_600
    assert _reserved("gpt-image-1", by_token.at_most)[1] == 40_000
