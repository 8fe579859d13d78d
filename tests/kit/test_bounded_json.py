"""What a provider wrote can be written again, or is refused as malformed."""

import orjson
import pytest

from aiservice.kit.bounded_json import MAX_WRITTEN_DEPTH, loads


def _nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


def test_what_is_read_can_be_written() -> None:
    assert orjson.dumps(loads(_nested(MAX_WRITTEN_DEPTH)))
    assert loads(b'["' + b"[" * 1000 + b'"]') == ["[" * 1000]
    for deep in (_nested(MAX_WRITTEN_DEPTH + 1), b"[" * 300 + b"]" * 300):
        for raw in (deep, deep.decode()):
            with pytest.raises(orjson.JSONDecodeError):
                loads(raw)
    with pytest.raises(orjson.JSONDecodeError):
        loads(b"[" + b"[]," * 1_000_001 + b"1]")
