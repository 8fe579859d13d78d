"""The content blocks of a streamed message, one after the other (docs.claude.com/en/docs/build-with-claude/streaming).

Our events may come in any order: tool calls in alternating pieces, text while a call is under way. Anthropic's blocks
never overlap. So the first unfinished block is the one that is streamed, and what belongs to others waits.
"""

from collections import deque
from typing import Any, Literal

import orjson

from aiservice.dialects._messages_answer import tool_use_id
from aiservice.dialects._messages_state import (
    CLAUDE_FORMAT,
    block_of_detail,
    block_of_extra_content,
    signature_of_detail,
)
from aiservice.kit.bounded_json import loads
from aiservice.wire import StreamEvent, ToolCallDelta

Json = dict[str, Any]
Kind = Literal["text", "thinking", "tool_use", "redacted_thinking"]

_DELTAS: dict[str, bytes] = {
    "text": b'{"type":"text_delta","text":',
    "thinking": b'{"type":"thinking_delta","thinking":',
    "tool_use": b'{"type":"input_json_delta","partial_json":',
}
_MAX_LOOKS = 64  # how often the arguments of one call are tried for being whole: each look reads them all


class _Block:
    """One block. `waiting` are its pieces that were not sent yet, `pieces` (of a tool call) all there were."""

    __slots__ = (
        "call_id",
        "data",
        "is_whole",
        "kind",
        "looks",
        "name",
        "number",
        "pieces",
        "seen",
        "signature",
        "told_id",
        "waiting",
    )

    def __init__(self, kind: Kind, data: str = "") -> None:
        self.kind = kind
        self.data = data
        self.waiting: list[str] = []
        self.pieces: list[str] = []
        self.signature = ""
        self.call_id: str | None = None
        self.name: str | None = None
        self.told_id: str | None = None
        self.number = 0
        self.seen = 0
        self.looks = 0
        self.is_whole = kind == "redacted_thinking"

    def may_end(self) -> bool:
        """Whether nothing more can come, now that another block has begun: a call ends with its arguments."""
        if self.is_whole or self.kind != "tool_use":
            return True
        if len(self.pieces) == self.seen or self.looks >= _MAX_LOOKS or not self.pieces[-1].rstrip().endswith("}"):
            return False
        self.seen = len(self.pieces)
        self.looks += 1
        try:
            self.is_whole = isinstance(loads("".join(self.pieces)), dict)
        except orjson.JSONDecodeError:
            return False
        return self.is_whole


class BlockStream:
    """Takes events in the order they come; `out` gets the frames that can be sent."""

    __slots__ = ("_blocks", "_calls", "_count", "_extra", "_index", "_is_open", "_request_id", "_text_head", "out")

    def __init__(self, request_id: str, first: int = 0) -> None:
        """`first` is the number of the first block: those before it were passed on."""
        self.out: list[bytes] = []
        self._count = 0  # of tool calls
        self._request_id = request_id
        self._blocks: deque[_Block] = deque()
        self._calls: dict[int, _Block] = {}
        self._extra: Json = {}
        self._index = first
        self._is_open = False
        self._text_head: bytes | None = None  # of a text delta, while the open block is text and the only one

    @property
    def has_tool_use(self) -> bool:
        """Whether a tool was called."""
        return self._count > 0

    def text(self, text: str) -> None:
        """A piece of the answer's text."""
        if not text:
            return
        if self._text_head is not None:
            self.out.append(self._text_head + orjson.dumps(text) + b"}}\n\n")
        else:
            self._last("text").waiting.append(text)
            self._flush()

    def extra_content(self, extra: Json) -> None:
        """What the message as a whole carries: it is sent at its end."""
        self._extra |= extra

    def reasoning(self, event: StreamEvent) -> None:
        """A piece of thinking, a signature under it, or encrypted thinking."""
        if event.text:
            block = self._last("thinking")
            if block.signature:  # signed already: this is the next thought
                block = self._new(_Block("thinking"))
            block.waiting.append(event.text)
        item = event.details
        if item is not None:
            data = item.get("data")
            if isinstance(data, str) and data:
                self._new(_Block("redacted_thinking", str(block_of_detail(item)["data"])))
            elif item.get("signature"):
                signature = signature_of_detail(item)
                block = self._last("thinking")
                is_more = item.get("format") == CLAUDE_FORMAT
                block.signature = block.signature + signature if is_more else signature
        self._flush()

    def tool_call(self, delta: ToolCallDelta) -> None:
        """A piece of a tool call."""
        block = self._calls.get(delta.index)
        is_new = block is None or (
            # Some servers number every call 0: a second id with a name is a second call.
            delta.call_id is not None and delta.name is not None and delta.call_id != (block.call_id or delta.call_id)
        )
        if block is None or is_new:
            block = _Block("tool_use")
            block.number = self._count
            self._count += 1
        block.call_id = block.call_id or delta.call_id
        block.name = block.name or delta.name
        if delta.extra_content is not None:
            self._new(_Block("redacted_thinking", _extra_data(delta.extra_content, self._id_of(block))))
        if self._calls.get(delta.index) is not block:
            self._calls[delta.index] = self._new(block)
        if delta.arguments and not block.is_whole and (block.pieces or delta.arguments != "null"):
            block.pieces.append(delta.arguments)
            block.waiting.append(delta.arguments)
        self._flush()

    def finish(self) -> None:
        """Ends every block."""
        if self._extra:
            self._new(_Block("redacted_thinking", _extra_data(self._extra, None)))
        while self._blocks:
            self._send(self._blocks[0])
            self._end()

    def _id_of(self, block: _Block) -> str:
        """The call's id as the client is told it, from when it is first needed."""
        if block.told_id is None:
            block.told_id = tool_use_id(block.call_id, self._request_id, block.number)
        return block.told_id

    def _last(self, kind: Kind) -> _Block:
        """The block that a piece of `kind` belongs to: the last one, or a new one."""
        if self._blocks and self._blocks[-1].kind == kind:
            return self._blocks[-1]
        return self._new(_Block(kind))

    def _new(self, block: _Block) -> _Block:
        self._blocks.append(block)
        self._text_head = None
        return block

    def _flush(self) -> None:
        """Sends what may be sent now."""
        blocks = self._blocks
        while blocks:
            block = blocks[0]
            if block.kind == "tool_use" and block.name is None:
                return  # its name is still to come
            self._send(block)
            if len(blocks) == 1:
                if block.kind == "text":
                    self._text_head = self._delta_head(block)
                return
            if not block.may_end():
                return
            self._end()

    def _send(self, block: _Block) -> None:
        if not self._is_open:
            self._is_open = True
            self.out.append(
                b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
                % (self._index, orjson.dumps(self._opening(block)))
            )
        if block.waiting:
            text = block.waiting[0] if len(block.waiting) == 1 else "".join(block.waiting)
            block.waiting.clear()
            self.out.append(self._delta_head(block) + orjson.dumps(text) + b"}}\n\n")

    def _end(self) -> None:
        """Closes the first block. A signature is sent here, whole: clients keep the last piece they are given."""
        block = self._blocks.popleft()
        if block.signature:
            delta = {
                "type": "content_block_delta",
                "index": self._index,
                "delta": {"type": "signature_delta", "signature": block.signature},
            }
            self.out.append(b"event: content_block_delta\ndata: " + orjson.dumps(delta) + b"\n\n")
        self.out.append(b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n' % self._index)
        self._index += 1
        self._is_open = False
        self._text_head = None

    def _delta_head(self, block: _Block) -> bytes:
        return b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":%b' % (
            self._index,
            _DELTAS[block.kind],
        )

    def _opening(self, block: _Block) -> Json:
        if block.kind == "text":
            return {"type": "text", "text": ""}
        if block.kind == "thinking":
            return {"type": "thinking", "thinking": "", "signature": ""}
        if block.kind == "tool_use":
            return {"type": "tool_use", "id": self._id_of(block), "name": block.name or "", "input": {}}
        return {"type": "redacted_thinking", "data": block.data}


def _extra_data(extra: Json, call_id: str | None) -> str:
    return str(block_of_extra_content(extra, call_id)["data"])
