"""A secret that cannot be printed, formatted, pickled or put into JSON by accident."""

from typing import NoReturn, Self


class Secret:
    """Holds bytes that only `reveal()` gives back.

    Python cannot wipe memory reliably; what this type promises is that no log line, traceback, repr,
    pickle or JSON document made from it holds the secret.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes | str) -> None:
        self._value = value.encode() if isinstance(value, str) else value

    def reveal(self) -> bytes:
        """The secret itself. Call it where the secret is used, and nowhere else."""
        return self._value

    def reveal_text(self) -> str:
        """The secret as text."""
        return self._value.decode()

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return "Secret(***)"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        import hmac  # noqa: PLC0415 - rarely compared

        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self
