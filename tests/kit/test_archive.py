"""An archive gives back what was put in, and nothing of one that was cut or changed."""

import stat
from pathlib import Path

import pytest

from aiservice.kit.archive import ArchiveReader, ArchiveWriter, BadArchive


def _write(path: Path, key: str | None = "key") -> None:
    with ArchiveWriter(path) as archive:
        with archive.part("one") as write:
            write(b"first ")
            write(b"second")
        with archive.part("folder/two") as write:
            write(bytes(range(256)) * 100)
        archive.finish({"what": "test"}, None if key is None else lambda manifest: f"{key} {len(manifest)}")


def _read(path: Path) -> dict[str, bytes]:
    with ArchiveReader(path) as archive:
        return {name: b"".join(archive.pieces(name)) for name in archive.names}


def test_what_goes_in_comes_out_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    _write(tmp_path / "a")
    assert _read(tmp_path / "a") == {"one": b"first second", "folder/two": bytes(range(256)) * 100}
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_every_changed_byte_is_noticed(tmp_path: Path) -> None:
    _write(tmp_path / "a")
    whole = (tmp_path / "a").read_bytes()
    for place in range(len(whole)):
        (tmp_path / "b").write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(BadArchive):
            ArchiveReader(tmp_path / "b")


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    _write(tmp_path / "a")
    whole = (tmp_path / "a").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "b").write_bytes(whole[:length])
        with pytest.raises(BadArchive):
            ArchiveReader(tmp_path / "b")


def test_a_seal_of_another_key_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "a")
    _write(tmp_path / "none", key=None)
    with ArchiveReader(tmp_path / "a") as archive:
        archive.check_seal(lambda manifest: f"key {len(manifest)}")
        with pytest.raises(BadArchive, match="master key"):
            archive.check_seal(lambda manifest: f"other {len(manifest)}")
    with ArchiveReader(tmp_path / "none") as archive, pytest.raises(BadArchive):
        archive.check_seal(lambda manifest: f"key {len(manifest)}")


def test_a_file_that_is_there_is_never_replaced_and_a_failure_leaves_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("precious")
    with pytest.raises(FileExistsError):
        ArchiveWriter(tmp_path / "a")
    with pytest.raises(RuntimeError), ArchiveWriter(tmp_path / "b"):
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
