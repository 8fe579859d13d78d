"""What is made to be slow: requests and answers of so many bytes, of whatever there can be many of.

Each is of a form that a parser walks through; where it looked back at what came before, time grew with the square.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import orjson

Json = dict[str, Any]
_ASKED: Json = {"role": "user", "content": "x"}
_CALL: Json = {"type": "function", "function": {"name": "f", "arguments": "{}"}}


def chats(size: int) -> Iterator[tuple[str, Json]]:
    """Chats in OpenAI's form of about `size` bytes, each by a name."""
    count = size // 40
    yield (
        "messages in turns",
        {"messages": [{"role": ("user", "assistant")[n % 2], "content": "a"} for n in range(count)]},
    )
    yield "messages of one", {"messages": [{"role": "user", "content": "a"}] * count}
    yield "instructions", {"messages": [*[{"role": "system", "content": "a"}] * count, _ASKED]}
    yield "parts", {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}] * count}]}
    yield (
        "an assistant's parts",
        {"messages": [_ASKED, {"role": "assistant", "content": [{"type": "text", "text": "a"}] * count}, _ASKED]},
    )
    some = size // 160
    calls = [{**_CALL, "id": f"c{n}"} for n in range(some)]
    results = [{"role": "tool", "tool_call_id": f"c{n}", "content": "r"} for n in range(some)]
    called = {"role": "assistant", "content": None, "tool_calls": calls}
    yield "calls and results", {"messages": [_ASKED, called, *results]}
    yield "results backwards", {"messages": [_ASKED, called, *reversed(results)]}
    yield "words and results", {"messages": [_ASKED, called, *[_ASKED] * some, *results]}
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    yield "tools", {"messages": [_ASKED], "tools": [tool] * (size // 90)}
    yield (
        "a wide schema",
        _with_schema({"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(some)}}),
    )
    yield "a deep schema", _with_schema(_deep(25))
    nested = '{"a":' + "[" * 1000 + "]" * 1000 + "}"
    arguments = {"role": "assistant", "content": None, "tool_calls": [_called_with(nested)]}
    yield "deep arguments", {"messages": [_ASKED, arguments, {"role": "tool", "tool_call_id": "c", "content": nested}]}
    many = '{"a":[' + "1," * (size // 4) + "1]}"
    arguments = {"role": "assistant", "content": None, "tool_calls": [_called_with(many)]}
    yield "long arguments", {"messages": [_ASKED, arguments, {"role": "tool", "tool_call_id": "c", "content": many}]}
    yield "stops", {"messages": [_ASKED], "stop": ["a"] * (size // 5)}
    yield "names", {"messages": [_ASKED], **{f"k{n}": None for n in range(size // 14)}}
    yield "labels", {"messages": [_ASKED], "metadata": {f"k{n}": "v" for n in range(size // 14)}}
    yield "one text", {"messages": [{"role": "user", "content": "é" * (size // 2)}]}
    yield "blanks", {"messages": [{"role": "user", "content": " " * size}]}
    data = "A" * (size // 4 * 4)
    for kind in ("text/plain", "application/pdf", "image/png"):
        file = {"type": "file", "file": {"filename": "a", "file_data": f"data:{kind};base64,{data}"}}
        yield f"a file of {kind}", {"messages": [{"role": "user", "content": [file]}]}
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    yield "a picture", {"messages": [{"role": "user", "content": [picture]}]}
    yield (
        "a sound",
        {
            "messages": [
                {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}]}
            ]
        },
    )
    yield (
        "thoughts",
        {"messages": [_ASKED, {"role": "assistant", "content": "abc", "reasoning_details": _thoughts(some)}]},
    )


def _with_schema(schema: Json) -> Json:
    described = {"name": "o", "strict": True, "schema": schema}
    return {"messages": [_ASKED], "response_format": {"type": "json_schema", "json_schema": described}}


def _deep(levels: int) -> Json:
    schema: Json = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def _called_with(arguments: str) -> Json:
    return {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}


def _thoughts(count: int) -> list[Json]:
    formats = ("anthropic-claude-v1", "google-gemini-v1", "openai-responses-v1", "amazon-bedrock-v1")
    return [
        {"type": "reasoning.text", "text": "a", "signature": "s", "format": formats[n % 4], "content_offset": 1}
        for n in range(count)
    ]


def contents(size: int) -> Iterator[tuple[str, Json]]:
    """Requests of Google's wire."""
    count, some = size // 40, size // 160
    yield "contents", {"contents": [{"role": ("user", "model")[n % 2], "parts": [{"text": "a"}]} for n in range(count)]}
    yield "parts", {"contents": [{"role": "user", "parts": [{"text": "a"}] * count}]}
    calls = [{"functionCall": {"name": "f", "id": f"c{n}", "args": {}}} for n in range(some)]
    results = [{"functionResponse": {"name": "f", "id": f"c{n}", "response": {}}} for n in range(some)]
    told = {"role": "model", "parts": calls}
    yield "calls and results", {"contents": [told, {"role": "user", "parts": results}]}
    yield "results backwards", {"contents": [told, {"role": "user", "parts": results[::-1]}]}
    nameless = [{"functionResponse": {"name": "f", "response": {}}}] * some
    yield "results without ids", {"contents": [told, {"role": "user", "parts": nameless}]}
    schema = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(some)}}
    for name in ("responseSchema", "responseJsonSchema"):
        config = {"responseMimeType": "application/json", name: schema}
        yield f"a wide {name}", {"contents": [{"parts": [{"text": "x"}]}], "generationConfig": config}


def messages(size: int) -> Iterator[tuple[str, Json]]:
    """Requests of Anthropic's wire."""
    count, some = size // 40, size // 160
    limit = {"max_tokens": 5}
    yield (
        "messages",
        {**limit, "messages": [{"role": ("user", "assistant")[n % 2], "content": "a"} for n in range(count)]},
    )
    yield "blocks", {**limit, "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}] * count}]}
    yield "instructions", {**limit, "system": [{"type": "text", "text": "a"}] * count, "messages": [_ASKED]}
    calls = [{"type": "tool_use", "id": f"c{n}", "name": "f", "input": {}} for n in range(some)]
    results = [{"type": "tool_result", "tool_use_id": f"c{n}", "content": "r"} for n in range(some)]
    said = {"role": "assistant", "content": calls}
    yield "calls and results", {**limit, "messages": [_ASKED, said, {"role": "user", "content": results}]}
    thoughts = [{"type": "thinking", "thinking": "a", "signature": "s"}] * some
    text = {"type": "text", "text": "x"}
    yield "thoughts", {**limit, "messages": [_ASKED, {"role": "assistant", "content": [*thoughts, text]}, _ASKED]}


def inputs(size: int) -> Iterator[tuple[str, Json]]:
    """Requests of the Responses API."""
    count, some = size // 60, size // 160
    yield (
        "items",
        {"input": [{"type": "message", "role": ("user", "assistant")[n % 2], "content": "a"} for n in range(count)]},
    )
    yield "parts", {"input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}] * count}]}
    calls = [{"type": "function_call", "call_id": f"c{n}", "name": "f", "arguments": "{}"} for n in range(some)]
    results = [{"type": "function_call_output", "call_id": f"c{n}", "output": "r"} for n in range(some)]
    yield "calls and results", {"input": [_ASKED, *calls, *results]}
    thought = {
        "type": "reasoning",
        "id": "rs_x",
        "summary": [{"type": "summary_text", "text": "a"}],
        "encrypted_content": "g",
    }
    yield "thoughts", {"input": [_ASKED, *[thought] * some, {"role": "assistant", "content": "a"}, _ASKED]}


def texts(size: int) -> Iterator[tuple[str, Json]]:
    """Requests of everything that is given texts to work on."""
    for name in ("input", "prompt"):
        yield f"{name}: texts", {name: ["a"] * (size // 5)}
        yield f"{name}: tokens", {name: [1] * (size // 3)}
        yield f"{name}: lists of tokens", {name: [[1, 2]] * (size // 7)}
        yield f"{name}: one text", {name: "a" * size}
        yield f"{name}: an order and words", {name: "translate this to french: " + "a b " * (size // 4)}
        yield f"{name}: blanks", {name: " " * size}
        yield f"{name}: code", {name: "def f():\n" * (size // 9)}
        yield f"{name}: brackets", {name: "{" * size}
    yield "documents", {"query": "q", "documents": ["a"] * (size // 5)}
    yield "labels", {"task": "classification", "text": "x", "labels": ["a"] * (size // 5)}


def answers(size: int) -> Iterator[tuple[str, str, bytes]]:
    """Whole answers: the provider's kind, a name, the reply's body."""
    for kind, name, head, one, tail in _ANSWERS:
        unit = orjson.dumps(one)
        yield kind, name, head + b",".join([unit] * (size // (len(unit) + 1))) + tail
    nested = b"[" * 300 + b"]" * 300
    head = b'{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"x","x":'
    yield "openai", "nested", head + nested + b"}}]}"
    use = b'{"type":"tool_use","id":"a","name":"f","input":{"a":' + nested + b"}}"
    yield "anthropic", "nested", b'{"type":"message","stop_reason":"tool_use","content":[' + use + b"]}"
    part = b'{"functionCall":{"name":"f","args":{"a":' + nested + b"}}}"
    yield "gemini", "nested", b'{"candidates":[{"finishReason":"STOP","content":{"parts":[' + part + b"]}}]}"
    use = b'{"toolUse":{"toolUseId":"a","name":"f","input":{"a":' + nested + b"}}}"
    yield "bedrock", "nested", b'{"stopReason":"tool_use","output":{"message":{"content":[' + use + b"]}}}"


_CHOICE = b'{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"x",'
_CLAUDE = b'{"type":"message","stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1},"content":['
_GEMINI = b'{"candidates":[{"finishReason":"STOP","content":{"parts":['
_NOVA = b'{"stopReason":"end_turn","output":{"message":{"role":"assistant","content":['
_THOUGHT = {"type": "reasoning.text", "text": "a", "signature": "s", "format": "anthropic-claude-v1"}
_ANSWERS: tuple[tuple[str, str, bytes, Any, bytes], ...] = (
    ("openai", "choices", b'{"choices":[', {"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}, b"]}"),
    ("openai", "calls", _CHOICE + b'"tool_calls":[', {**_CALL, "id": "c"}, b"]}}]}"),
    ("openai", "thoughts", _CHOICE + b'"reasoning_details":[', _THOUGHT, b"]}}]}"),
    ("anthropic", "blocks", _CLAUDE, {"type": "text", "text": "a"}, b"]}"),
    ("anthropic", "calls", _CLAUDE, {"type": "tool_use", "id": "a", "name": "f", "input": {}}, b"]}"),
    ("anthropic", "thoughts", _CLAUDE, {"type": "thinking", "thinking": "a", "signature": "b"}, b"]}"),
    ("gemini", "parts", _GEMINI, {"text": "a"}, b"]}}]}"),
    ("gemini", "calls", _GEMINI, {"functionCall": {"name": "f", "args": {}}}, b"]}}]}"),
    ("gemini", "thoughts", _GEMINI, {"text": "a", "thought": True, "thoughtSignature": "s"}, b"]}}]}"),
    (
        "gemini",
        "candidates",
        b'{"candidates":[',
        {"finishReason": "STOP", "content": {"parts": [{"text": "a"}]}},
        b"]}",
    ),
    ("bedrock", "blocks", _NOVA, {"text": "a"}, b"]}}}"),
    ("bedrock", "calls", _NOVA, {"toolUse": {"toolUseId": "a", "name": "f", "input": {}}}, b"]}}}"),
    ("bedrock", "thoughts", _NOVA, {"reasoningContent": {"reasoningText": {"text": "a", "signature": "s"}}}, b"]}}}"),
    ("cohere", "parts", b'{"finish_reason":"COMPLETE","message":{"content":[', {"type": "text", "text": "a"}, b"]}}"),
    ("cohere", "calls", b'{"finish_reason":"TOOL_CALL","message":{"tool_calls":[', {**_CALL, "id": "c"}, b"]}}"),
    ("ollama", "calls", b'{"done":true,"message":{"content":"a","tool_calls":[', {"function": {"name": "f"}}, b"]}}"),
)


def events(kind: str) -> Iterator[tuple[str, bytes]]:
    """The smallest things that a stream of a provider can be made of, each by a name."""
    yield from (("blank lines", b"\n"), ("carriage returns", b"\r"), ("comments", b":\n\n"), ("no data", b"x\n\n"))
    yield from (
        ("one figure", b"data:1\n\n"),
        ("empty objects", b"data: {}\n\n"),
        ("objects", b"{}\n"),
        ("zeros", bytes(16)),
    )
    for of, name, said in _EVENTS:
        if of == kind:
            yield name, said if isinstance(said, bytes) else b"data: " + orjson.dumps(said) + b"\n\n"


def _frame(kind: bytes, payload: bytes) -> bytes:
    """One of AWS's event stream."""
    named = ((b":event-type", kind), (b":message-type", b"event"), (b":content-type", b"application/json"))
    headers = b"".join(bytes([len(n)]) + n + b"\x07" + struct.pack(">H", len(v)) + v for n, v in named)
    head = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    body = head + struct.pack(">I", zlib.crc32(head)) + headers + payload
    return body + struct.pack(">I", zlib.crc32(body))


def _delta(said: Json) -> Json:
    return {"choices": [{"index": 0, "delta": said}]}


def _block(said: Json) -> Json:
    return {"type": "content_block_delta", "index": 0, "delta": said}


def _parts(said: Json) -> Json:
    return {"candidates": [{"content": {"parts": [said]}}]}


_PARTIAL = {"partialArgs": [{"jsonPath": "$.a", "stringValue": "a", "willContinue": True}], "willContinue": True}
_EVENTS: tuple[tuple[str, str, Json | bytes], ...] = (
    ("openai", "text", _delta({"content": "a"})),
    ("openai", "thoughts", _delta({"reasoning_content": "a"})),
    ("openai", "marks of thoughts", _delta({"content": "<think>"})),
    ("openai", "pieces of a call", _delta({"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]})),
    ("anthropic", "text", _block({"type": "text_delta", "text": "a"})),
    ("anthropic", "pieces of a call", _block({"type": "input_json_delta", "partial_json": "{"})),
    ("anthropic", "starts", {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ("gemini", "text", _parts({"text": "a"})),
    ("gemini", "calls", _parts({"functionCall": {"name": "f"}})),
    ("gemini", "pieces of a call", _parts({"functionCall": _PARTIAL})),
    ("gemini", "usage", {"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1}}),
    ("gemini", "an array", b"[{},"),
    ("cohere", "text", {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "a"}}}}),
    ("ollama", "text", b'{"message":{"content":"a"},"done":false}\n'),
    ("bedrock", "text", _frame(b"contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"a"}}')),
)
