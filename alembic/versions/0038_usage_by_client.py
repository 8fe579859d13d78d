"""usage: roll-ups by client alone"""

import sqlalchemy as sa
from alembic import op

from aiservice.kit.clock import DAY_US, now_us

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

_SUMMED = (
    *("requests", "errors", "unpriced", "input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens"),
    *("cost_nano_usd", "latency_us_sum", *(f"latency_{n}" for n in range(14))),
    *("cache_write_tokens", "fallbacks", "refused", "limited", "cut", "hung_up", *(f"first_{n}" for n in range(14))),
)
_DETAILS = _SUMMED[_SUMMED.index("cache_write_tokens") :]


def upgrade() -> None:
    sums = ", ".join(f"SUM({name})" for name in _SUMMED)
    for grain in ("hour", "day"):
        op.create_table(
            f"usage_client_{grain}",
            sa.Column("start_us", sa.BigInteger(), nullable=False),
            sa.Column("client_id", sa.String(40), nullable=False),
            *(_sum(name) for name in _SUMMED),
            sa.PrimaryKeyConstraint("start_us", "client_id"),
        )
        # Today is folded once it is over, and until then not looked for among the days.
        until = now_us() // DAY_US * DAY_US if grain == "day" else now_us()
        op.execute(
            f"INSERT INTO usage_client_{grain} (start_us, client_id, {', '.join(_SUMMED)}) "  # noqa: S608 - our own names
            f"SELECT start_us, client_id, {sums} FROM usage_{grain} WHERE start_us < {until} GROUP BY 1, 2"
        )


def downgrade() -> None:
    for grain in ("hour", "day"):
        op.drop_table(f"usage_client_{grain}")


def _sum(name: str) -> "sa.Column[int]":
    default = "0" if name in _DETAILS else None
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default=default)
