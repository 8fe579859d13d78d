"""The output items of a response, as they come about (platform.openai.com/docs/api-reference/responses-streaming).

Items may be under way side by side: each event says which one it is about. So nothing waits: a call's pieces go out as
they come, and whoever adds up the events has what `items` says at the end. A whole answer is written by the same code,
with nobody to tell of each step.
"""

from typing import Any

import orjson

from aiservice.dialects._messages_state import sealed
from aiservice.dialects._responses_parts import (
    CALLS,
    EMPTY_PARTS,
    PART_NAMES,
    CallItem,
    MessageItem,
    ThoughtItem,
    delta_head,
    is_openai,
    keep_detail,
    place_of,
    text_in,
)
from aiservice.dialects._responses_tools import Called, CalledAs
from aiservice.kit.sse import named_frame
from aiservice.wire import StreamEvent, ToolCallDelta

Json = dict[str, Any]


class Output:
    """Takes what an answer says in the order it comes. `out` gets the events; None: nobody is told.

    `items` are the output items as they are by now. `sequence` is the number of the next event.
    """

    def __init__(
        self, request_id: str, called_as: CalledAs, out: list[bytes] | None, items: list[Json] | None = None
    ) -> None:
        """`called_as` tells tools by another name or form than ours; `items` came before (they were passed on)."""
        self.out = out
        self.items: list[Json] = items or []
        self.sequence = 0
        self._request_id = request_id
        self._called_as = called_as
        self._message: MessageItem | None = None
        self._thought: ThoughtItem | None = None
        self._calls: dict[int, CallItem] = {}
        self._open_calls: list[CallItem] = []
        self._extra: Json = {}
        self._head: bytes | None = None  # of the next text delta, while a text is under way

    @property
    def has_calls(self) -> bool:
        """Whether a tool was called."""
        return bool(self._calls)

    def text(self, text: str) -> None:
        """A piece of the answer's text."""
        if not text:
            return
        message = self._message
        if message is None or self._head is None:
            message = self._part_of("output_text")
            self._head = delta_head("response.output_text.delta", message.item["id"], message.index, place_of(message))
        message.pieces.append(text)
        if self.out is not None:
            self.out.append(
                self._head + orjson.dumps(text) + b',"logprobs":[],"sequence_number":%d}\n\n' % self.sequence
            )
            self.sequence += 1

    def refusal(self, text: str) -> None:
        """A piece of what the model declines with."""
        message = self._part_of("refusal")
        message.pieces.append(text)
        where = {"item_id": message.item["id"], "output_index": message.index, "content_index": place_of(message)}
        self.emit("response.refusal.delta", **where, delta=text)

    def noted(self, annotations: list[Any], logprobs: list[Any]) -> None:
        """What is said of a whole text: sources, and how likely its tokens were."""
        if self._message is not None and self._message.item["content"]:
            self._message.item["content"][-1] |= {"annotations": annotations, "logprobs": logprobs}

    def reasoning(self, event: StreamEvent) -> None:
        """A piece of thinking, or the state that goes with it."""
        detail = event.details
        if not event.text and detail is None:
            return
        thought = self._thought
        if thought is not None and thought.details:
            last = thought.details[-1][0]
            if is_openai(last) and (last.get("data") or detail is None or detail.get("id") != last.get("id")):
                self._end_thought()
                thought = None
            elif event.text:
                self._end_thought_part(thought)  # signed already: this is the next thought, of the same item
        if thought is None:
            self._end_message()
            named = detail.get("id") if detail is not None and is_openai(detail) else None
            item: Json = {"id": named or self._id("rs"), "type": "reasoning", "summary": [], "encrypted_content": None}
            thought = self._thought = ThoughtItem(self._begin(item), item)
        if event.text:
            self._think(thought, event.text)
        if detail is not None:
            keep_detail(thought, detail)

    def extra_content(self, extra: Json, call_id: str | None = None) -> None:
        """What a vendor wants back with the message as a whole (told at its end), or with one of its calls."""
        if call_id is None:
            self._extra |= extra
        else:
            self._end_thought()
            self._hidden({"extra_content": extra, "call": call_id})

    def tool_call(self, delta: ToolCallDelta) -> None:
        """A piece of a tool call."""
        call = self._calls.get(delta.index)
        if call is None or (
            # Some servers number every call 0: a second id with a name is a second call.
            delta.call_id is not None and delta.name is not None and delta.call_id != (call.call_id or delta.call_id)
        ):
            self._end_message()
            self._end_thought()
            call = self._calls[delta.index] = CallItem()
            self._open_calls.append(call)
        call.call_id = call.call_id or delta.call_id
        call.name = call.name or delta.name
        if call.item is None and call.name is not None:
            self._begin_call(call)
        if delta.extra_content is not None:
            self.extra_content(delta.extra_content, self._call_id(call))
        if delta.arguments and (call.pieces or delta.arguments != "null"):
            call.pieces.append(delta.arguments)
            call.waiting += delta.arguments
        if call.item is not None and call.waiting and not call.is_custom:
            where = {"item_id": call.item["id"], "output_index": call.index}
            self.emit("response.function_call_arguments.delta", **where, delta=call.waiting)
            call.waiting = ""

    def finish(self, *, is_whole: bool) -> None:
        """Ends every item; the last one is `incomplete` where the answer is not whole."""
        self._end_thought()
        self._end_message("completed" if is_whole or self._open_calls else "incomplete")
        for call in self._open_calls:
            self._end_call(call, "completed" if is_whole or call is not self._open_calls[-1] else "incomplete")
        self._open_calls = []
        if self._extra:
            self._hidden({"extra_content": self._extra})
            self._extra = {}

    def emit(self, kind: str, **fields: Any) -> None:
        """One event."""
        if self.out is not None:
            said = {"type": kind, **fields, "sequence_number": self.sequence}
            self.out.append(named_frame(kind, orjson.dumps(said)))
            self.sequence += 1

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{self._request_id}_{len(self.items)}"

    def _begin(self, item: Json) -> int:
        index = len(self.items)
        self.items.append(item)
        self.emit("response.output_item.added", output_index=index, item=item)
        return index

    def _part_of(self, kind: str) -> MessageItem:
        """The message whose part of `kind` is under way."""
        self._end_thought()
        message = self._message
        if message is None:
            item: Json = {"id": self._id("msg"), "type": "message", "status": "in_progress", "role": "assistant"}
            item["content"] = []
            message = self._message = MessageItem(self._begin(item), item)
        if message.kind != kind:
            self._end_part(message)
            message.kind = kind
            part = dict(EMPTY_PARTS[kind])
            message.item["content"].append(part)
            where = {"item_id": message.item["id"], "output_index": message.index, "content_index": place_of(message)}
            self.emit("response.content_part.added", **where, part=part)
        return message

    def _end_part(self, message: MessageItem) -> None:
        self._head = None
        if not message.kind:
            return
        name, part = PART_NAMES[message.kind], message.item["content"][-1]
        part[name] = "".join(message.pieces)
        message.pieces = []
        where = {"item_id": message.item["id"], "output_index": message.index, "content_index": place_of(message)}
        more = {"logprobs": part["logprobs"]} if name == "text" else {}
        self.emit(f"response.{message.kind}.done", **where, **{name: part[name]}, **more)
        self.emit("response.content_part.done", **where, part=part)
        message.kind = ""

    def _end_message(self, status: str = "completed") -> None:
        message, self._message = self._message, None
        if message is None:
            return
        self._end_part(message)
        message.item["status"] = status
        self.emit("response.output_item.done", output_index=message.index, item=message.item)

    def _think(self, thought: ThoughtItem, text: str) -> None:
        where = {"item_id": thought.item["id"], "output_index": thought.index}
        if not thought.is_open:
            thought.is_open = True
            part = {"type": "summary_text", "text": ""}
            thought.item["summary"].append(part)
            number = len(thought.item["summary"]) - 1
            self.emit("response.reasoning_summary_part.added", **where, summary_index=number, part=part)
        number = len(thought.item["summary"]) - 1
        thought.pieces.append(text)
        self.emit("response.reasoning_summary_text.delta", **where, summary_index=number, delta=text)

    def _end_thought_part(self, thought: ThoughtItem) -> None:
        if not thought.is_open:
            return
        thought.is_open = False
        part = thought.item["summary"][-1]
        part["text"] = "".join(thought.pieces)
        thought.pieces = []
        number = len(thought.item["summary"]) - 1
        where = {"item_id": thought.item["id"], "output_index": thought.index, "summary_index": number}
        self.emit("response.reasoning_summary_text.done", **where, text=part["text"])
        self.emit("response.reasoning_summary_part.done", **where, part=part)

    def _end_thought(self) -> None:
        thought, self._thought = self._thought, None
        if thought is None:
            return
        self._end_thought_part(thought)
        openais = [detail["data"] for detail, _ in thought.details if is_openai(detail) and detail.get("data")]
        if openais:
            thought.item["encrypted_content"] = openais[0]
        elif any(detail.keys() - {"type", "format", "index", "id"} for detail, _ in thought.details):
            thought.item["encrypted_content"] = sealed({"details": [list(pair) for pair in thought.details]})
        self.emit("response.output_item.done", output_index=thought.index, item=thought.item)

    def _hidden(self, state: Json) -> None:
        """A reasoning item that holds a vendor's state and no text."""
        item = {"id": self._id("rs"), "type": "reasoning", "summary": [], "encrypted_content": sealed(state)}
        index = self._begin(item)
        self.emit("response.output_item.done", output_index=index, item=item)

    def _call_id(self, call: CallItem) -> str:
        if call.call_id is None:
            call.call_id = f"call_{self._request_id}_{len(self.items)}"
        return call.call_id

    def _begin_call(self, call: CallItem) -> None:
        called = self._called_as.get(call.name or "") or Called(call.name or "")
        call.is_custom, call.name = called.is_custom, called.name
        kind, prefix, field = CALLS[call.is_custom]
        item = {"id": self._id(prefix), "type": kind, "status": "in_progress", "call_id": self._call_id(call)}
        call.item = {**item, "name": called.name, field: ""}
        if called.namespace is not None:
            call.item["namespace"] = called.namespace
        call.index = self._begin(call.item)

    def _end_call(self, call: CallItem, status: str) -> None:
        if call.item is None:  # its name never came
            call.name = ""
            self._begin_call(call)
        assert call.item is not None  # noqa: S101 - it has begun
        said = "".join(call.pieces)
        where = {"item_id": call.item["id"], "output_index": call.index}
        if call.is_custom:
            said = text_in(said)
            self.emit("response.custom_tool_call_input.delta", **where, delta=said)
            self.emit("response.custom_tool_call_input.done", **where, input=said)
            call.item["input"] = said
        else:
            said = said if said.strip() else "{}"
            self.emit("response.function_call_arguments.done", **where, name=call.name, arguments=said)
            call.item["arguments"] = said
        call.item["status"] = status
        self.emit("response.output_item.done", output_index=call.index, item=call.item)
