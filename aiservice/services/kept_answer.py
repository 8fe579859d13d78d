"""An answer as it went out, and how it is written to be kept."""

from dataclasses import dataclass

import orjson


@dataclass(slots=True, frozen=True)
class KeptAnswer:
    """An answer as it went out: to which request, with which headers (names and values as on the wire)."""

    request_id: str
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def packed(answer: KeptAnswer) -> bytes:
    """The answer as it is kept: a line of JSON, and then its body."""
    head = {
        "request_id": answer.request_id,
        "status": answer.status,
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in answer.headers],
    }
    return orjson.dumps(head) + b"\n" + answer.body


def unpacked(kept: bytes) -> KeptAnswer:
    """An answer as it was kept."""
    head, _, body = kept.partition(b"\n")
    told = orjson.loads(head)
    headers = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in told["headers"])
    return KeptAnswer(told["request_id"], told["status"], headers, body)
