"""Gemini's content parts from OpenAI's: text, images, documents, sound, films (ai.google.dev/api/caching, "Part")."""

import re
from typing import Any
from urllib.parse import urlsplit

from aiservice.providers._base import AttemptFailed, cannot_carry
from aiservice.providers._gemini.models import Family
from aiservice.wire import AttemptFailure, Blame, Json

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w-]+=[^;,]*)*;base64,", re.ASCII)
_SOUNDS = {"mp3": "audio/mp3", "mpga": "audio/mp3"}
# Google wants a type beside most addresses; an address says it by its ending, or not at all.
_TYPES = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif",
    "heic": "image/heic", "heif": "image/heif", "bmp": "image/bmp", "pdf": "application/pdf", "txt": "text/plain",
    "md": "text/markdown", "html": "text/html", "htm": "text/html", "css": "text/css", "csv": "text/csv",
    "xml": "text/xml", "json": "application/json", "mp4": "video/mp4", "webm": "video/webm", "mov": "video/quicktime",
    "mp3": "audio/mp3", "wav": "audio/wav",
}  # fmt: skip
# Where Google keeps what was uploaded with our key, perhaps by somebody else; public buckets are no such place.
_OUR_ACCOUNT = "googleapis.com"
_PUBLIC = "storage.googleapis.com"


def bad_request(param: str, message: str) -> AttemptFailed:
    """A request that is none in our own form: no other provider could read it either."""
    return AttemptFailed(AttemptFailure(400, "invalid_value", message, Blame.CALLER, param=param))


def parts_of(content: object, where: str, family: Family) -> list[Json]:
    """The parts of a message's `content`; empty texts are left out (Google refuses them). `where` names it in errors.

    Raises:
        AttemptFailed: something that is no content, or that Gemini cannot be given.
    """
    if content is None:
        return []
    if isinstance(content, str):
        return [{"text": content}] if content else []
    if not isinstance(content, list):
        raise bad_request(where, f"'{where}' must be text or a list of content parts.")
    parts = [_part(part, f"{where}[{place}]", family) for place, part in enumerate(content)]
    return [part for part in parts if part.get("text") != ""]


def text_of(content: object, where: str, family: Family) -> str:
    """The text of a content that may hold nothing else.

    Raises:
        AttemptFailed: there is something else in it.
    """
    parts = parts_of(content, where, family)
    if not all("text" in part for part in parts):
        raise cannot_carry(where, f"Gemini takes only text in '{where}'.")
    return "".join(part["text"] for part in parts)


def _part(part: object, where: str, family: Family) -> Json:
    if isinstance(part, str):
        return {"text": part}
    if not isinstance(part, dict):
        raise bad_request(where, f"'{where}' must be a content part.")
    kind = part.get("type")
    if kind in ("text", "refusal"):
        return {"text": _text(part, str(kind), where)}
    if kind in ("image_url", "video_url"):
        found = part.get(kind)
        address = found.get("url") if isinstance(found, dict) else found
        return media_part(address, f"{where}.{kind}", family)
    if kind == "input_audio":
        return _sound(part.get("input_audio"), f"{where}.input_audio")
    if kind == "file":
        return _file(part.get("file"), f"{where}.file", family)
    raise cannot_carry(where, f"Gemini has no word for the content part '{where}' of this type.")


def _text(part: Json, name: str, where: str) -> str:
    text = part.get(name)
    if not isinstance(text, str):
        raise bad_request(where, f"'{where}.{name}' must be text.")
    return text


def _sound(sound: Any, where: str) -> Json:
    data = sound.get("data") if isinstance(sound, dict) else None
    kind = sound.get("format") if isinstance(sound, dict) else None
    if not isinstance(data, str) or not isinstance(kind, str):
        raise bad_request(where, f"'{where}' must hold 'data' (base64) and 'format'.")
    return {"inlineData": {"mimeType": _SOUNDS.get(kind, f"audio/{kind}"), "data": data}}


def _file(file: Any, where: str, family: Family) -> Json:
    if not isinstance(file, dict):
        raise bad_request(where, f"'{where}' must be an object.")
    if file.get("file_id") is not None:
        raise cannot_carry(f"{where}.file_id", "Gemini does not know this file: send it as 'file_data'.")
    for name in ("file_data", "file_url"):
        if file.get(name) is not None:
            return media_part(file[name], f"{where}.{name}", family)
    raise bad_request(where, f"'{where}' must hold 'file_data' (a data: URL) or 'file_url'.")


def media_part(address: object, where: str, family: Family) -> Json:
    """A part for a data: URL, or for an address that Google loads itself; `where` names it in errors.

    Raises:
        AttemptFailed: it is neither, or an address that this model is not given.
    """
    if not isinstance(address, str):
        raise bad_request(where, f"'{where}' must be a URL.")
    inline = _DATA_URL.match(address)
    if inline is not None:
        return {"inlineData": {"mimeType": inline[1], "data": address[inline.end() :]}}
    if address.startswith("data:"):
        raise bad_request(where, f"'{where}' must be a base64 data: URL with its media type.")
    try:
        found = urlsplit(address)
        host = (found.hostname or "").rstrip(".")
    except ValueError:
        raise bad_request(where, f"'{where}' must be a URL.") from None
    is_ours = (host == _OUR_ACCOUNT or host.endswith(f".{_OUR_ACCOUNT}")) and host != _PUBLIC
    if found.scheme != "https" or not host or is_ours:
        raise cannot_carry(where, "Gemini takes a public https address or a data: URL here.")
    if not family.fetches_urls:
        raise cannot_carry(where, "This Gemini model fetches no addresses: send the file as a data: URL.")
    file: Json = {"fileUri": address}
    kind = _TYPES.get(found.path.rpartition(".")[2].lower())
    if kind is not None:
        file["mimeType"] = kind
    return {"fileData": file}
