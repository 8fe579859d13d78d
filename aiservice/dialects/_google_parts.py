"""Google's parts that are no text as content parts of our form (ai.google.dev/api/caching, "Part")."""

from urllib.parse import urlsplit

from aiservice.dialects._google_names import Json, named, text_in, wrong

_SOUNDS = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "vnd.wave": "wav"}
_NAMES = {"application/pdf": "document.pdf", "text/plain": "document.txt", "text/html": "document.html"}
_IMAGES = ("png", "jpg", "jpeg", "webp", "gif", "heic", "heif", "bmp")
_BUCKETS = "storage.googleapis.com"  # of which the public ones are for everybody


def inline_part(given: object, path: str) -> Json:
    """The content part for an `inlineData`.

    Raises:
        InvalidRequest: it is not what it must be.
    """
    blob = named(given, path)
    kind, data = text_in(blob, "mimeType", path).lower().partition(";")[0].strip(), text_in(blob, "data", path)
    if "/" not in kind:
        raise wrong(f"{path}.mimeType", "must be a media type, such as image/png.")
    if "-" in data or "_" in data:  # Google's libraries write the alphabet of URLs, which nobody else reads
        data = data.replace("-", "+").replace("_", "/")
    family, _, subtype = kind.partition("/")
    if family == "audio":
        return {"type": "input_audio", "input_audio": {"data": data, "format": _SOUNDS.get(subtype, subtype)}}
    address = f"data:{kind};base64,{data}"
    if family in ("image", "video"):
        return {"type": f"{family}_url", f"{family}_url": {"url": address}}
    name = blob.get("displayName")
    name = name if isinstance(name, str) and name else _NAMES.get(kind, "document")
    return {"type": "file", "file": {"filename": name, "file_data": address}}


def file_part(given: object, path: str) -> Json | None:
    """The content part for a `fileData`; None for what only Google can reach.

    Raises:
        InvalidRequest: it is not what it must be.
    """
    file = named(given, path)
    address, kind = text_in(file, "fileUri", path), file.get("mimeType")
    if is_googles_own(address):
        return None
    ending = urlsplit(address).path.rpartition(".")[2].lower()
    family = kind.partition("/")[0] if isinstance(kind, str) else ("image" if ending in _IMAGES else "")
    if family == "audio":
        return None
    if family in ("image", "video") or _is_film(address):
        word = "image_url" if family == "image" else "video_url"
        return {"type": word, word: {"url": address}}
    name = file.get("displayName")
    return {
        "type": "file",
        "file": {"filename": name if isinstance(name, str) and name else "document", "file_url": address},
    }


def is_googles_own(address: str) -> bool:
    """Whether `address` is of something that Google keeps for an account: an upload, an object in a bucket."""
    try:
        found = urlsplit(address)
        host = (found.hostname or "").rstrip(".")
    except ValueError:
        return True
    if found.scheme == "gs" or not host:
        return True
    return (host == "googleapis.com" or host.endswith(".googleapis.com")) and host != _BUCKETS


def _is_film(address: str) -> bool:
    host = (urlsplit(address).hostname or "").removeprefix("www.")
    return host in ("youtube.com", "youtu.be")
