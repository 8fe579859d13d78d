"""A place that a request may go to."""

from dataclasses import dataclass

from aiservice.providers._base import Provider
from aiservice.services.connection_views import ConnectionView


@dataclass(slots=True, frozen=True)
class Candidate:
    """A connection, the model to ask it for, and why it stands where it stands.

    `header_block` is this candidate's part of the response headers, made once and used for every request.
    """

    connection: ConnectionView
    provider: Provider
    model: str
    reason: str
    header_block: tuple[tuple[bytes, bytes], ...]
