"""usage: roll-ups by model alone, and what each key used in a span of days; indices by client and key"""

import sqlalchemy as sa
from alembic import op

from aiservice.kit.clock import DAY_US, now_us

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

_SUMMED = (
    *("requests", "errors", "unpriced", "input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens"),
    *("cost_nano_usd", "latency_us_sum", *(f"latency_{n}" for n in range(14))),
    *("cache_write_tokens", "fallbacks", "refused", "limited", "cut", "hung_up", *(f"first_{n}" for n in range(14))),
)
_DETAILS = _SUMMED[_SUMMED.index("cache_write_tokens") :]
_BY_MODEL = (("task", 40), ("provider", 64), ("model", 200))
_OF_SPAN = (
    *("requests", "errors", "input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens"),
    *("reasoning_tokens", "cost_nano_usd"),
)
_SPAN_US = 32 * 86_400_000_000


def upgrade() -> None:
    for grain in ("hour", "day"):
        op.create_table(
            f"usage_model_{grain}",
            sa.Column("start_us", sa.BigInteger(), nullable=False),
            *(sa.Column(name, sa.String(length), nullable=False) for name, length in _BY_MODEL),
            *(_sum(name) for name in _SUMMED),
            sa.PrimaryKeyConstraint("start_us", *(name for name, _ in _BY_MODEL)),
        )
        # Today is folded once it is over, and until then not looked for among the days.
        until = now_us() // DAY_US * DAY_US if grain == "day" else now_us()
        _fill(f"usage_model_{grain}", ("task", "provider", "model"), _SUMMED, f"usage_{grain}", until)
        for column in ("client", "key"):
            op.create_index(f"ix_usage_{grain}_{column}", f"usage_{grain}", [f"{column}_id", "start_us"])
    op.create_table(
        "usage_span",
        sa.Column("start_us", sa.BigInteger(), nullable=False),
        sa.Column("client_id", sa.String(40), nullable=False),
        sa.Column("key_id", sa.String(40), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _OF_SPAN),
        sa.PrimaryKeyConstraint("start_us", "client_id", "key_id"),
    )
    _fill("usage_span", ("client_id", "key_id"), _OF_SPAN, "usage_day", now_us())


def _fill(table: str, key: tuple[str, ...], names: tuple[str, ...], source: str, until_us: int) -> None:
    """What there is already, summed anew."""
    width_us = _SPAN_US if table == "usage_span" else 1
    sums = ", ".join(f"SUM({name})" for name in names)
    groups = ", ".join(str(place) for place in range(1, len(key) + 2))
    op.execute(
        f"INSERT INTO {table} (start_us, {', '.join((*key, *names))}) "  # noqa: S608 - our own names
        f"SELECT start_us - start_us % {width_us}, {', '.join(key)}, {sums} FROM {source} "
        f"WHERE start_us < {until_us} GROUP BY {groups}"
    )


def downgrade() -> None:
    op.drop_table("usage_span")
    for grain in ("hour", "day"):
        for column in ("client", "key"):
            op.drop_index(f"ix_usage_{grain}_{column}", f"usage_{grain}")
        op.drop_table(f"usage_model_{grain}")


def _sum(name: str) -> "sa.Column[int]":
    default = "0" if name in _DETAILS else None
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default=default)
