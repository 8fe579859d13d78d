"""What the bytes of a sound say of it: its type, and about how long it lasts."""

_BEGINS = (
    (b"RIFF", "audio/wav"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
)
_BY_FORMAT = {
    "aac": "audio/aac",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "pcm": "audio/pcm",
    "wav": "audio/wav",
}
_USUAL_BYTES_PER_SECOND = 8_000  # 64 kbit/s


def media_type_of(data: bytes, wanted: object) -> str:
    """The type of a sound that was asked for in the format `wanted`, where nobody says it: by how it begins."""
    for begin, kind in _BEGINS:
        if data.startswith(begin):
            return kind
    return _BY_FORMAT.get(wanted, "audio/mpeg") if isinstance(wanted, str) else "audio/mpeg"


def seconds_in(data: bytes) -> int:
    """About how many seconds a recording lasts, rounded up: of WAV exactly, of others by a usual rate."""
    rate, sound = _USUAL_BYTES_PER_SECOND, len(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE" and data[12:16] == b"fmt ":
        rate = int.from_bytes(data[28:32], "little") or rate
        if (head := data.find(b"data", 36)) >= 0:  # who writes while it sounds says no length there, or a wrong one
            sound = max(0, len(data) - head - 8)
    return -(-sound // rate)


def wav(samples: bytes, rate: int) -> bytes:
    """Raw samples (16 bits, one channel) as a WAV file."""
    head = b"RIFF" + (36 + len(samples)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    form = (1).to_bytes(2, "little") * 2 + rate.to_bytes(4, "little") + (2 * rate).to_bytes(4, "little")
    return head + form + b"\2\0\x10\0data" + len(samples).to_bytes(4, "little") + samples
