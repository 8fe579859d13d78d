"""Parts of a message (OpenAI's form) as content blocks of Converse (API reference, "ContentBlock")."""

import re
from typing import Any, Final
from urllib.parse import urlsplit

from aiservice.providers._base import cannot_carry
from aiservice.wire import Json

_DATA_URL: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w.+-]+=[^;,]*)*;base64,(.*)", re.DOTALL)
_IMAGES: Final = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
_DOCUMENTS: Final = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
    "application/json": "txt",
}
_VIDEOS: Final = {
    "video/x-matroska": "mkv",
    "video/quicktime": "mov",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/mpeg": "mpeg",
    "video/x-ms-wmv": "wmv",
    "video/3gpp": "three_gp",
}
_EXTENSIONS: Final = frozenset(_IMAGES.values()) | frozenset(_DOCUMENTS.values()) | frozenset(_VIDEOS.values())
_SOUNDS: Final = frozenset({"mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "m4a", "mpeg", "pcm", "webm"})
# Blocks that a client of chat completions may have written in this wire's own words.
_OWN_BLOCKS: Final = frozenset({"guardContent", "searchResult", "cachePoint", "document", "image", "video", "audio"})
# What a document's name may hold: others are a refusal, and two spaces in a row as well.
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9 ()\[\]-]+")
_SPACES: Final = re.compile(r" {2,}")
_MAX_NAME: Final = 200


def blocks_of(message: Json, where: str) -> list[Json]:
    """The blocks of a message's content, its cache marks behind what they mark.

    Raises:
        AttemptFailed: a part that this wire has no word for (named in `param`).
    """
    if message.get("name") and message.get("role") != "tool":
        raise cannot_carry(f"{where}.name", f"'{where}.name' cannot be carried to Bedrock: put it into the text.")
    content = message.get("content")
    if content is None:
        return []
    if isinstance(content, str):
        return [{"text": content}] if content.strip() else []  # a blank one is refused by the vendor, and says nothing
    if not isinstance(content, list):
        raise cannot_carry(f"{where}.content", f"'{where}.content' must be a text or a list of parts.")
    blocks: list[Json] = []
    for place, part in enumerate(content):
        if (block := _block(part, f"{where}.content[{place}]")) is not None:
            blocks.append(block)
            blocks += marks_of(part)
    return blocks


def marks_of(marked: Any) -> list[Json]:
    """The cache point that `cache_control` asks for, if it does."""
    mark = marked.get("cache_control") if isinstance(marked, dict) else None
    if not isinstance(mark, dict):
        return []
    point: Json = {"type": "default"}
    if mark.get("ttl"):
        point["ttl"] = mark["ttl"]
    return [{"cachePoint": point}]


def _block(part: Any, where: str) -> Json | None:
    if not isinstance(part, dict):
        raise cannot_carry(where, f"'{where}' is not a part of a message.")
    kind = part.get("type")
    if kind in ("text", "refusal"):
        text = part.get(kind)
        if not text or not isinstance(text, str) or not text.strip():
            return None
        return {"text": text}
    if kind == "image_url":
        return _image(part.get("image_url"), f"{where}.image_url")
    if kind == "file":
        return _file(part.get("file"), f"{where}.file")
    if kind == "input_audio":
        return _audio(part.get("input_audio"), f"{where}.input_audio")
    if kind == "video_url":
        return _video(part.get("video_url"), f"{where}.video_url")
    own = part.keys() - {"type", "cache_control"}
    if len(own) == 1 and own <= _OWN_BLOCKS:
        return {name: part[name] for name in own}
    raise cannot_carry(where, f"'{where}' is of a type that cannot be carried to Bedrock.")


def _image(given: Any, where: str) -> Json:
    url = given.get("url") if isinstance(given, dict) else given
    media_type, source = _source(url, where)
    return _of_type(media_type, source, "", where, only="image")


def _video(given: Any, where: str) -> Json:
    url = given.get("url") if isinstance(given, dict) else given
    media_type, source = _source(url, where)
    return _of_type(media_type, source, "", where, only="video")


def _audio(given: Any, where: str) -> Json:
    data, form = (given.get("data"), given.get("format")) if isinstance(given, dict) else (None, None)
    if not isinstance(data, str) or not isinstance(form, str) or form not in _SOUNDS:
        raise cannot_carry(where, f"'{where}' needs base64 'data' and a 'format' that Bedrock has, such as mp3 or wav.")
    return {"audio": {"format": form, "source": {"bytes": data}}}


def _file(given: Any, where: str) -> Json:
    file = given if isinstance(given, dict) else {}
    if file.get("file_id"):
        raise cannot_carry(f"{where}.file_id", "A file stored with another vendor cannot be carried to Bedrock.")
    held = file.get("file_data") or file.get("file_url")
    media_type, source = _source(held, f"{where}.file_data")
    name = file.get("filename")
    return _of_type(media_type, source, name if isinstance(name, str) else "", where)


def _of_type(media_type: str, source: Json, name: str, where: str, only: str = "") -> Json:
    """The block for media of that type: of documents, images and videos, or of one of them `only`."""
    for kind, forms in (("image", _IMAGES), ("video", _VIDEOS), ("document", _DOCUMENTS)):
        form = forms.get(media_type) or (media_type if media_type in forms.values() else None)
        if form is None or only not in ("", kind):
            continue
        block: Json = {"format": form, "source": source}
        if kind == "document":
            block["name"] = _name(name)
        return {kind: block}
    raise cannot_carry(where, f"'{where}' is of type {media_type[:100]}, which cannot be carried to Bedrock.")


def _name(name: str) -> str:
    plain = _SPACES.sub(" ", _NOT_IN_NAMES.sub(" ", name.rpartition(".")[0] or name)).strip()
    return plain[:_MAX_NAME] or "document"


def _source(url: Any, where: str) -> tuple[str, Json]:
    """(media type or file extension, source) of a data URL or of an object in S3; no other address is fetched by
    Bedrock, and none by us."""
    if isinstance(url, str) and url.startswith("s3://"):
        return urlsplit(url).path.rpartition(".")[2].lower(), {"s3Location": {"uri": url}}
    found = _DATA_URL.fullmatch(url) if isinstance(url, str) else None
    if found is None:
        raise cannot_carry(
            where, f"'{where}' must be a base64 data URL or an s3:// address: Bedrock fetches no others."
        )
    return found[1].lower(), {"bytes": found[2]}
