"""Money as integers of 10⁻⁹ USD (nano-dollars): exact, and wide enough for a signed 64-bit column (9.2 billion USD)."""

from decimal import ROUND_HALF_EVEN, Decimal

NANO_USD = 1_000_000_000


def to_nano(amount_usd: Decimal) -> int:
    """`amount_usd` in nano-dollars, rounded half to even.

    Raises:
        ValueError: not a finite number.
    """
    if not amount_usd.is_finite():
        raise ValueError("an amount of money must be a finite number")
    return int((amount_usd * NANO_USD).to_integral_value(ROUND_HALF_EVEN))


def to_usd_text(nano_usd: int) -> str:
    """A plain decimal string of USD without exponent: `"0.000123"`; at least one digit on each side kept short."""
    text = f"{Decimal(nano_usd) / NANO_USD:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
