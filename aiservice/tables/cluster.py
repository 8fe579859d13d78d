"""Who serves on this database, and who of them does the work that one alone may do."""

from sqlmodel import Field

from aiservice.tables._base import Table, big


class Worker(Table, table=True):
    """One serving process. `beat_us` is by the database's clock, so that the clocks of nodes need not agree.

    `place`, `pid` and `pid_ticks` name the process itself: on its own machine it is seen at once that it died.
    """

    __tablename__ = "worker"

    id: str = Field(primary_key=True, max_length=40)
    node_id: str = Field(max_length=40)
    host: str = Field(max_length=100)
    place: str = Field(max_length=80)
    pid: int
    pid_ticks: int = big()
    is_sharing: bool
    started_us: int = big()
    beat_us: int = big()


class Lease(Table, table=True):
    """A right that one worker holds until `until_us` (the database's clock). `fence` grows with every new holder."""

    __tablename__ = "lease"

    name: str = Field(primary_key=True, max_length=80)
    holder: str = Field(max_length=40)
    fence: int = big()
    until_us: int = big()
