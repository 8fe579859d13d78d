"""A place that a request may go to."""

from dataclasses import dataclass, replace

from aiservice.providers import registry
from aiservice.providers._base import Provider
from aiservice.services.connection_views import ConnectionView

SANDBOX = "sandbox"


@dataclass(slots=True, frozen=True, eq=False)
class Candidate:
    """A connection, the model to ask it for, and why it stands where it stands.

    `header_block` is this candidate's part of the response headers, made once and used for every request.
    """

    connection: ConnectionView
    provider: Provider
    model: str
    reason: str
    header_block: tuple[tuple[bytes, bytes], ...]

    def because(self, reason: str) -> "Candidate":
        """The same place, for another reason."""
        return replace(self, reason=reason, header_block=_header_block(self.connection, self.model, reason))


def candidate(view: ConnectionView, model: str, reason: str) -> Candidate:
    """The place with its headers."""
    return Candidate(view, registry()[view.kind].at(view.base_url), model, reason, _header_block(view, model, reason))


def _header_block(view: ConnectionView, model: str, reason: str) -> tuple[tuple[bytes, bytes], ...]:
    block = [
        (b"x-aiservice-provider", _header_text(view.name)),
        (b"x-aiservice-model", _header_text(model)),
        (b"x-aiservice-route", _header_text(reason)),
    ]
    if view.kind == SANDBOX:
        block.append((b"x-aiservice-sandbox", b"true"))
    return tuple(block)


def _header_text(text: str) -> bytes:
    return "".join(ch if " " <= ch <= "~" else "?" for ch in text).encode("ascii")
