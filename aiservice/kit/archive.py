"""One file of many parts that notices every changed or missing byte: a ZIP whose comment is the SHA-256 of all before.

Its manifest names each part with length and SHA-256, and can carry a seal (an HMAC) that only a key's holder can make.
"""

import contextlib
import hashlib
import hmac
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

FORMAT = 1
MANIFEST, SEAL = "manifest.json", "manifest.seal"
_DIGEST_CHARACTERS = 64
_PIECE_BYTES = 1 << 20
_MAX_MANIFEST_BYTES = 16 << 20

Json = dict[str, Any]
Seal = Callable[[bytes], str]


class BadArchive(Exception):
    """The file is none of ours, or not whole, or was changed; the message says which."""


class ArchiveWriter:
    """Writes parts one after another beside `path`, which appears, mode 0600 and synced, when the block ends well.

    Raises:
        FileExistsError: there is a file at `path` already.
    """

    def __init__(self, path: Path) -> None:
        if path.exists():
            raise FileExistsError(path)
        self._path = path
        self._draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
        self._stream = _Hashed(os.open(self._draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        self._zip = zipfile.ZipFile(self._stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self._zip.comment = b"0" * _DIGEST_CHARACTERS
        self._parts: dict[str, Json] = {}
        self._is_finished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        if not self._is_finished:
            with contextlib.suppress(OSError, ValueError):  # of a part that was not ended
                self._zip.close()
            self._stream.close()
            self._draft.unlink(missing_ok=True)

    @contextmanager
    def part(self, name: str) -> Iterator[Callable[[bytes], None]]:
        """Gives what takes the bytes of the part `name`; one part at a time."""
        digest, count = hashlib.sha256(), 0
        with self._zip.open(name, "w", force_zip64=True) as part:

            def write(piece: bytes) -> None:
                nonlocal count
                digest.update(piece)
                count += len(piece)
                part.write(piece)

            yield write
        self._parts[name] = {"bytes": count, "sha256": digest.hexdigest()}

    def finish(self, about: Json, seal: Seal | None) -> int:
        """Writes the manifest (`about` and the parts), seals it if it can, and gives the file's size."""
        manifest = json.dumps({"format": FORMAT, **about, "parts": self._parts}, indent=1, sort_keys=True).encode()
        self._zip.writestr(MANIFEST, manifest)
        if seal is not None:
            self._zip.writestr(SEAL, seal(manifest))
        self._zip.close()
        size = self._stream.complete()
        # Unlike a rename, a link never replaces what came into being there meanwhile.
        os.link(self._draft, self._path)
        self._draft.unlink()
        _sync_folder(self._path.parent)
        self._is_finished = True
        return size


class ArchiveReader:
    """Reads an archive after looking at every byte of it.

    Raises:
        BadArchive: it is none, it is cut, or it was changed.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        _check_whole(path)
        try:
            self._zip = zipfile.ZipFile(path)
            self.manifest_bytes = self._read_small(MANIFEST)
            self.manifest: Json = json.loads(self.manifest_bytes)
            self._parts: dict[str, Json] = dict(self.manifest["parts"])
            given = self.manifest["format"]
        except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
            raise BadArchive("It is no backup of aiservice.") from error
        if given != FORMAT:
            raise BadArchive(f"It has format {given}; this release reads format {FORMAT}.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._zip.close()

    @property
    def names(self) -> list[str]:
        """The parts, by name."""
        return sorted(self._parts)

    @property
    def is_sealed(self) -> bool:
        """Whether its maker held a key."""
        return SEAL in self._zip.namelist()

    def check_seal(self, seal: Seal) -> None:
        """Holds the seal against the one that `seal` makes.

        Raises:
            BadArchive: somebody without the key has made or changed it.
        """
        if not self.is_sealed or not hmac.compare_digest(self._read_small(SEAL), seal(self.manifest_bytes).encode()):
            raise BadArchive(
                "Its seal is not that of this installation's master key: it was made or changed elsewhere."
            )

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of a part.

        Raises:
            BadArchive: they are not what the manifest says; raised after the last piece.
        """
        digest = hashlib.sha256()
        try:
            with self._zip.open(name) as part:
                while piece := part.read(_PIECE_BYTES):
                    digest.update(piece)
                    yield piece
        except (zipfile.BadZipFile, KeyError, EOFError) as error:
            raise BadArchive(f"Its part {name} cannot be read.") from error
        if digest.hexdigest() != self._parts[name]["sha256"]:
            raise BadArchive(f"Its part {name} was changed.")

    def extract(self, name: str, target: Path) -> None:
        """Writes a part to a new file, mode 0600 and synced."""
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            for piece in self.pieces(name):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())

    def _read_small(self, name: str) -> bytes:
        with self._zip.open(name) as part:
            return part.read(_MAX_MANIFEST_BYTES)


class _Hashed:
    """A file that is only ever written on, and knows the SHA-256 of all but its last 64 bytes.

    It has no `seek`, so `zipfile` never goes back to change what is hashed already.
    """

    def __init__(self, handle: int) -> None:
        self._file: IO[bytes] = os.fdopen(handle, "r+b")
        self._digest = hashlib.sha256()
        self._held = b""

    def write(self, data: bytes) -> int:
        written = self._file.write(data)
        held = self._held + bytes(data)
        self._digest.update(held[:-_DIGEST_CHARACTERS])
        self._held = held[-_DIGEST_CHARACTERS:]
        return written

    def flush(self) -> None:
        self._file.flush()

    def complete(self) -> int:
        """Puts the digest in the place of the last 64 bytes; the file's size."""
        self._file.seek(-_DIGEST_CHARACTERS, os.SEEK_END)
        self._file.write(self._digest.hexdigest().encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        size = self._file.tell()
        self._file.close()
        return size

    def close(self) -> None:
        self._file.close()


def _check_whole(path: Path) -> None:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        left = os.fstat(file.fileno()).st_size - _DIGEST_CHARACTERS
        if left <= 0 or file.read(2) != b"PK":
            raise BadArchive("It is no backup of aiservice.")
        file.seek(0)
        while left and (piece := file.read(min(_PIECE_BYTES, left))):
            digest.update(piece)
            left -= len(piece)
        if file.read() != digest.hexdigest().encode():
            raise BadArchive("It is not whole, or it was changed: its checksum is another.")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
