"""usage: the days of a client by model, which a developer's charts and filters read; a client's days, and the largest
keys of a span, by an index"""

import sqlalchemy as sa
from alembic import op

from aiservice.kit.clock import DAY_US, now_us

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

_KEY = (("client_id", 40), ("task", 40), ("provider", 64), ("model", 200))
_NAMES = tuple(name for name, _ in _KEY)
_SUMMED = (
    *("requests", "errors", "unpriced", "input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens"),
    *("cost_nano_usd", "latency_us_sum", *(f"latency_{n}" for n in range(14))),
)
_DETAILS = (
    *("cache_write_tokens", "fallbacks", "refused", "limited", "cut", "hung_up", *(f"first_{n}" for n in range(14))),
    *("images", "seconds", "characters", "searches"),
)


def upgrade() -> None:
    op.create_table(
        "usage_client_model_day",
        sa.Column("start_us", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.String(length), nullable=False) for name, length in _KEY),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _SUMMED),
        *(sa.Column(name, sa.BigInteger(), nullable=False, server_default="0") for name in _DETAILS),
        sa.PrimaryKeyConstraint("start_us", *_NAMES),
    )
    sums = ", ".join(f"SUM({name})" for name in (*_SUMMED, *_DETAILS))
    today = now_us() // DAY_US * DAY_US  # is folded once it is over
    op.execute(
        f"INSERT INTO usage_client_model_day (start_us, {', '.join((*_NAMES, *_SUMMED, *_DETAILS))}) "  # noqa: S608 - our own
        f"SELECT start_us, {', '.join(_NAMES)}, {sums} FROM usage_day WHERE start_us < {today} "
        "GROUP BY start_us, client_id, task, provider, model ORDER BY start_us, client_id, task, provider, model"
    )
    op.create_index("ix_usage_client_model_day_client", "usage_client_model_day", ["client_id", "start_us"])
    op.create_index("ix_usage_client_day_client", "usage_client_day", ["client_id", "start_us"])
    op.create_index("ix_usage_span_requests", "usage_span", ["start_us", "requests"])


def downgrade() -> None:
    op.drop_index("ix_usage_span_requests", "usage_span")
    op.drop_index("ix_usage_client_day_client", "usage_client_day")
    op.drop_table("usage_client_model_day")
