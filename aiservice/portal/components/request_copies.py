"""A request written down to be used elsewhere: as a command, and as a report that says nothing of who asked what."""

from collections.abc import Sequence
from typing import Any

import orjson

from aiservice.portal.components.decision import Considered
from aiservice.portal.components.requests import cost_text, milliseconds, status_text
from aiservice.portal.components.waterfall import Step
from aiservice.portal.words import ending_words, error_words

Json = dict[str, Any]
_CHAT: Json = {"messages": [{"role": "user", "content": "Hello"}]}
_INPUT: Json = {"input": "Hello"}
# Surface -> path, and the fields that its bodies need beside the model.
_SURFACES: dict[str, tuple[str, Json]] = {
    "chat.completions": ("/v1/chat/completions", _CHAT),
    "completions": ("/v1/completions", {"prompt": "Hello"}),
    "responses": ("/v1/responses", _INPUT),
    "responses.input_tokens": ("/v1/responses/input_tokens", _INPUT),
    "messages": ("/v1/messages", {**_CHAT, "max_tokens": 256}),
    "messages.count_tokens": ("/v1/messages/count_tokens", _CHAT),
    "embeddings": ("/v1/embeddings", _INPUT),
    "moderations": ("/v1/moderations", _INPUT),
    "images": ("/v1/images/generations", {"prompt": "A key"}),
    "speech": ("/v1/audio/speech", {**_INPUT, "voice": "alloy"}),
    "rerank": ("/v1/rerank", {"query": "keys", "documents": ["A key opens a lock.", "A door."]}),
}
# Forms with files, and what the broker asks by itself.
_NOBODYS = frozenset({"image-edits", "transcriptions", "translations", "cache"})
_GOOGLE = "google"
_GOOGLE_EMBEDS = {"embedContent": {"content": {"parts": [{"text": "Hello"}]}}}
_STREAMED = frozenset({"chat.completions", "completions", "responses", "messages", "ai-service"})


def call_of(entry: Any) -> tuple[str, str]:
    """The path that a request went to, and a body of its form as JSON; both "" where nobody could send it so."""
    surface, model = entry.surface, entry.requested_model or "auto"
    if surface in _NOBODYS:
        return "", ""
    if surface.partition(".")[0] == _GOOGLE:
        verb = surface.partition(".")[2] or "generateContent"
        body = _GOOGLE_EMBEDS.get(verb, {"contents": [{"parts": [{"text": "Hello"}]}]})
        return f"/v1beta/models/{model}:{verb}", orjson.dumps(body).decode()
    if surface in _SURFACES:
        path, fields = _SURFACES[surface]
        asked: Json = {"model": model, **fields}
    else:
        path, asked = "/ai-service", {"task": entry.task, "model": model, **_INPUT}
    if entry.is_stream and surface in _STREAMED:
        asked["stream"] = True
    return path, orjson.dumps(asked).decode()


def report_of(entry: Any, steps: Sequence[Step], considered: Sequence[Considered]) -> str:
    """What is known of a request as Markdown, to be shown to somebody who is to find a fault: no client, key, person,
    prompt or answer, and no address."""
    took = milliseconds((entry.ended_us - entry.started_us) / 1000)
    code, words = entry.error_code, error_words(entry.error_code, entry.status)
    lines = [
        f"# Request {entry.request_id}",
        "",
        f"- Ended: {status_text(entry)}. {ending_words(entry.outcome)}",
        *([f"- Error: `{code}`. {words}"] if code else []),
        f"- Task: {entry.task}, through {entry.surface}, {'streamed' if entry.is_stream else 'in one piece'}",
        f"- Asked for: {entry.requested_model or 'auto'}; answered by: {entry.provider or 'nobody'} / "
        f"{entry.model or 'no model'}",
        f"- Took: {took}; tokens: {entry.input_tokens} in, {entry.output_tokens} out ({entry.usage_source}); "
        f"cost: {cost_text(entry)}",
        f"- Cache: {entry.cache or 'had no part in it'}",
        "",
        "## Steps",
        "",
        "| step | result | why | began | took |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {_cell(s['name'])} {_cell(s['detail'])} | {_cell(s['result'])} | {_cell(s['reason'])} | {s['began']} "
          f"| {s['took']} |" for s in steps),
    ]  # fmt: skip
    if considered:
        lines += ["", "## Why it went there", "", "| connection | place, or rule | why |", "| --- | --- | --- |"]
        lines += [f"| {_cell(c['name'])} {_cell(c['model'])} | {c['place']} | {_cell(c['why'])} |" for c in considered]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
