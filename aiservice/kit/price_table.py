"""The table of prices that the package genai-prices carries, and the only module that imports it.

Its updater is left out: nothing is fetched at run time, and it would bring an HTTP client of two megabytes along.
"""

import sys
from types import ModuleType

_UPDATER = "genai_prices.update_prices"
_NAMES = ("UpdatePrices", "wait_prices_updated_async", "wait_prices_updated_sync")

if _UPDATER not in sys.modules:
    _left_out = ModuleType(_UPDATER)
    vars(_left_out).update(dict.fromkeys(_NAMES))
    sys.modules[_UPDATER] = _left_out

from genai_prices.data_snapshot import get_snapshot  # noqa: E402 - see above
from genai_prices.types import (  # noqa: E402
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
)

__all__ = [
    "ConditionalPrice",
    "ModelInfo",
    "ModelPrice",
    "Provider",
    "StartDateConstraint",
    "TieredPrices",
    "get_snapshot",
]
