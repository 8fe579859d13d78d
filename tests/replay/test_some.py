"""A part of the recordings, named by $REPLAYED ("wire provider"): what a planted bug is put to. Else there is none."""

import os

from tests.replay.rig import NOT_THERE, Rig
from tests.replay.traffic import recordings


async def test_the_named_recordings_come_through_as_they_were(rig: Rig) -> None:
    wire, _, provider = os.environ["REPLAYED"].partition(" ")
    chosen = [each for each in recordings() if (each.wire, each.provider, each.excluded) == (wire, provider, None)]
    assert chosen, "there are none of these"
    found = [f"{each.name}: {words}" for each in chosen for words in await rig.replay(each)]
    assert not [words for words in found if NOT_THERE not in words]
