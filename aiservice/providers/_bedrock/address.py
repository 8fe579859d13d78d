"""What an address of AWS says: region, service to sign for, and where the vendor lists its models."""

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote

_REGION: Final = r"[a-z]{2,4}(?:-[a-z]{2,12}){1,2}-[0-9]{1,2}"
_REGION_ALONE: Final = re.compile(_REGION)
# bedrock-runtime.us-east-1.amazonaws.com, bedrock-runtime-fips.…, vpce-….bedrock-runtime.….vpce.amazonaws.com
_HOST: Final = re.compile(rf"[/.](bedrock(?:-runtime|-mantle)?)(-fips)?\.({_REGION})\.")
_RUNTIME: Final = re.compile(rf"https://bedrock-runtime((?:-fips)?\.{_REGION}\.(?:amazonaws\.com(?:\.cn)?|api\.aws))")
_ELSEWHERE: Final = "us-east-1"  # a proxy of one's own in front of AWS: its name says no region
_MANTLE: Final = "bedrock-mantle"
# Inference profiles across regions are named by where the request may go.
_GEOGRAPHIES: Final = (
    ("us-gov-", "us-gov"),
    ("us-", "us"),
    ("eu-", "eu"),
    ("ap-", "apac"),
)


class Place(NamedTuple):
    """Where requests go: `service` is the name that a signature holds."""

    region: str
    service: str

    @property
    def geography(self) -> str:
        """The prefix of this region's inference profiles."""
        return next((name for prefix, name in _GEOGRAPHIES if self.region.startswith(prefix)), "global")


@lru_cache(maxsize=256)
def place_of(base_url: str) -> Place:
    """What an address says of its place."""
    found = _HOST.search(base_url)
    if found is None:
        return Place(_ELSEWHERE, "bedrock")
    return Place(found[3], _MANTLE if found[1] == _MANTLE else "bedrock")


def runtime_address(given: str) -> str:
    """The address of the runtime API: a region alone is one, too."""
    if _REGION_ALONE.fullmatch(given):
        return f"https://bedrock-runtime.{given}.amazonaws.com{'.cn' if given.startswith('cn-') else ''}"
    return given.rstrip("/")


def mantle_address(given: str) -> str:
    """The address of the OpenAI-compatible API: a region alone is one, too."""
    return f"https://{_MANTLE}.{given}.api.aws/v1" if _REGION_ALONE.fullmatch(given) else given.rstrip("/")


def control_address(base_url: str) -> str:
    """Where models are listed, for AWS's own address of the runtime API. A key goes to no other host that nobody named:
    any other address is its own."""
    found = _RUNTIME.fullmatch(base_url)
    return f"https://bedrock{found[1]}" if found is not None else base_url


@lru_cache(maxsize=1024)
def quoted(model: str) -> str:
    """A model's id as a segment of a path: everything but letters, digits, `-`, `.`, `_`, `~` is escaped, once.

    A signature is made over the path escaped once more; that is the signer's affair.
    """
    return quote(model, safe="")
