"""What a request costs."""

from aiservice.wire import Usage


class Prices:
    """Prices by connection kind, address and model; None means that there is no price, never that it is free."""

    def cost_nano_usd(self, kind: str, base_url: str, model: str, usage: Usage, at_us: int) -> int | None:
        """The cost in nano-dollars, or None for a model without a price."""
        raise NotImplementedError
