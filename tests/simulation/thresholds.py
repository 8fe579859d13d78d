"""What the detector has to reach, decided before there was one; and how a run is scored.

An attack counts as detected when a verdict of any level (an alert or more) is given between its first request and
`GRACE_SECONDS` after its last. In a month without an attack every verdict is false. The policy scored is `automatic`.
Months used while the detector is being adjusted come from `TUNING_SEEDS`; a score is taken on any other seed.
"""

DAYS = 28
LEARNING_DAYS = 7
"""Attacks begin after this: before it only ceilings set by people are promised. False verdicts count from day 0."""

BENIGN_CLIENT_MONTHS = 5_000
ATTACKS_A_KIND = 300
RECALL = 0.95
"""Of the five kinds in `attacks.py` together. Those in `held_out.py` are told beside it, and have no threshold."""
FALSE_BLOCKS_PER_1000_CLIENT_MONTHS = 1.0
MEDIAN_FLOOD_SECONDS = 60.0
"""From an attack's first request to the verdict, for attacks that are floods."""
FLOOD_FACTOR = 5.0
"""A flood asks, from its beginning, for at least this many times the client's busiest hour's mean per minute."""
FALSE_ALERTS_PER_CLIENT_MONTH = 0.5
FALSE_HINDRANCES_PER_1000_CLIENT_MONTHS = 20.0
"""Benign months in which something was throttled or more, per thousand."""

JUDGE_SECONDS = 5
FLUSH_SECONDS = 5
"""What is asked is visible to the judge after at most this long; the judge looks this often."""
GRACE_SECONDS = 600
TUNING_SEEDS = range(1_000)
