"""The recorded half of the set: request bodies of real programs, put to `/ai-service`; read where they lie.

Of each recording there are up to three requests: the body itself, and for chat-like endpoints its last user's text as
`input`, with the recording's model and parameters, and with nothing at all. What the latter mean was judged by hand
after rule 4 and is kept by hash in `recorded_texts.json`: the texts themselves are not ours.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from aiservice.tasks._base import CHAT_PARAMETERS
from tests.replay.traffic import folder, posted
from tests.tasks.labelled import Labelled

Json = dict[str, Any]

_ENDPOINTS: tuple[tuple[str, str], ...] = (
    (r"/embeddings$|/embed$|:(batchE|e)mbedContents?$", "embedding"),
    (r"/rerank$", "rerank"),
    (r"/moderations$", "moderation"),
    (r"/images(/generations|/edits)?$", "image-generation"),
    (r"/audio/speech$|/v1/speak$|/v1/tts$", "text-to-speech"),
    (r"/audio/(transcriptions|translations)$|/v1/listen$|/v1/stt$", "speech-to-text"),
    (r"/chat/completions$|/v[12]/chat$|/api/chat$|/messages$|/responses$|:(stream)?[gG]enerateContent$|/converse(-stream)?$"
     r"|/v1/completions$|/api/generate$|/interactions$", "chat"),
)  # fmt: skip
_NOT_CHAT = re.compile(r"/threads/")
_IMAGE_TYPES = {"image_url", "input_image", "image"}
# Models by which the vendor tells the task where the request names none.
_DEFAULT_MODELS = {"moderation": "omni-moderation-latest", "text-to-speech": "tts-1", "image-generation": "gpt-image-1"}
_LABELS: dict[str, str] = json.loads((Path(__file__).parent / "recorded_texts.json").read_text())


def is_there() -> bool:
    """Whether there is any recorded traffic."""
    return folder() is not None


@cache
def recorded() -> tuple[Labelled, ...]:
    """Every recorded request that is one of these endpoints', each different body once."""
    found: dict[str, Labelled] = {}
    for url, raw in posted():
        body = _parsed(raw)
        in_address = re.search(r"/(?:models?|deployments)/([^/:]+)", url)
        model = body.get("model") or (in_address[1] if in_address else None)
        for request in _requests(url, model if isinstance(model, str) else None, body):
            found.setdefault(json.dumps(request.body, sort_keys=True), request)
    return tuple(found.values())


def _parsed(raw: bytes) -> Json:
    """A JSON object, or the fields of a form."""
    try:
        body = json.loads(raw)
    except ValueError:
        fields = re.findall(rb'name="(\w+)"\r\n\r\n([^\r]{0,200})\r\n', raw)
        return {name.decode(): value.decode(errors="replace") for name, value in fields}
    return body if isinstance(body, dict) else {}


def text_key(text: str) -> str:
    """By what a text's label is found."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _requests(url: str, model: str | None, body: Json) -> Iterator[Labelled]:
    endpoint = next((task for pattern, task in _ENDPOINTS if re.search(pattern, url)), None)
    if endpoint is None or _NOT_CHAT.search(url) or _makes_media(body):
        return
    if endpoint != "chat":
        yield _single_purpose(endpoint, model, body)
        return
    messages, group = conversation(body), json.dumps(body, sort_keys=True)
    if not messages:
        return
    given = {name: value for name, value in body.items() if name in CHAT_PARAMETERS and value is not None}
    named = {"model": model} if model else {}
    has_image = any(_kind(part) in _IMAGE_TYPES for message in messages for part in _parts(message["content"]))
    if isinstance(body.get("prompt"), str):  # the older completions: a text and no conversation
        messages = []
    else:
        whole = {"input": messages, **named, **({"parameters": given} if given else {})}
        yield Labelled(whole, "image-understanding" if has_image else "chat", group)
    text = last_text(messages or conversation(body))
    label = _LABELS.get(text_key(text)) if text else None
    if label:
        # The group is the text: the same words, said to many models, are in one half.
        yield Labelled({"input": text}, label, f"text {text}")
        settings = {**named, **({"parameters": given} if given else {})}
        yield Labelled({"input": text, **settings}, "chat" if given.get("tools") else label, f"text {text}")


def _makes_media(body: Json) -> bool:
    """Whether a chat is to answer in sound or pictures: several works at one address, of which none is the label."""
    config = body.get("generationConfig")
    wanted = body.get("modalities") or (config.get("responseModalities") if isinstance(config, dict) else None)
    return any(str(each).lower() != "text" for each in wanted or ())


def _single_purpose(task: str, model: str | None, body: Json) -> Labelled:
    given = dict(body)
    model = model or _DEFAULT_MODELS.get(task)
    made: Json = {"model": model} if model else {}
    given.pop("model", None)
    if task == "rerank":
        names = ("query", "documents", "top_n", "texts", "top_k")
        made["input"] = {name: given.pop(name) for name in names if name in given}
    elif task == "speech-to-text":
        made["input"] = {"audio": given.pop("url", "data:audio/wav;base64,UklGRiQ=")}
    else:
        name = next((name for name in ("input", "prompt", "texts", "text", "requests", "content") if name in given), "")
        made["input"] = given.pop(name, None)
        if name == "requests":
            made["input"] = ["".join(p.get("text", "") for p in each["content"]["parts"]) for each in body["requests"]]
        elif name == "content":
            made["input"] = "".join(part.get("text", "") for part in body["content"]["parts"])
    if given:
        made["parameters"] = given
    return Labelled(made, task, json.dumps(body, sort_keys=True))


def conversation(body: Json) -> list[Json]:
    """The messages of a chat-like body in the common words: `role`, and `content` as text or parts."""
    turns = next((body[name] for name in ("messages", "contents", "input") if body.get(name)), None)
    if turns is None:
        turns = next((body[name] for name in ("prompt", "message") if isinstance(body.get(name), str)), None)
    if isinstance(turns, (str, dict)):
        turns = [turns if isinstance(turns, dict) and ("role" in turns or "parts" in turns) else {"content": turns}]
    made = []
    for turn in turns or ():
        if isinstance(turn, dict):
            role = {"model": "assistant"}.get(turn.get("role", "user"), turn.get("role", "user"))
            content = turn.get("content", turn.get("parts", turn.get("output", turn.get("arguments", ""))))
            made.append({"role": role, "content": _common(content)})
    system = next((body[name] for name in ("system", "systemInstruction", "instructions") if body.get(name)), None)
    if system and made:
        content = system.get("parts") if isinstance(system, dict) else system
        made.insert(0, {"role": "system", "content": _common(content)})
    return made


def _common(content: Any) -> Any:
    if not isinstance(content, (list, dict)):
        return content
    return [_common_part(part) for part in (content if isinstance(content, list) else [content])]


def _common_part(part: Any) -> Any:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if not isinstance(part, dict):
        return {"type": "text", "text": str(part)}
    if isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    media = part.get("inlineData") or part.get("inline_data") or part.get("fileData") or part.get("file_data")
    if isinstance(media, dict):
        kind = str(media.get("mimeType") or media.get("mime_type") or "")
        return {"type": "image_url" if kind.startswith("image/") else "file", "source": media}
    if "image" in part and "type" not in part:  # Bedrock
        return {"type": "image_url", "image_url": part["image"]}
    return part


def last_text(messages: list[Json]) -> str | None:
    """What the user said last, in words."""
    for message in reversed(messages):
        if message["role"] == "user":
            texts = [part["text"] for part in _parts(message["content"]) if _kind(part) == "text" and part["text"]]
            if texts:
                return " ".join(texts)[:10_000]
    return None


def _parts(content: Any) -> list[Any]:
    return content if isinstance(content, list) else [{"type": "text", "text": content or ""}]


def _kind(part: Any) -> object:
    return part.get("type") if isinstance(part, dict) else None
