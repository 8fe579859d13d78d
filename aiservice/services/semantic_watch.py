"""Whether similar questions were given the answers that they would have got: counted by policy, switched off where not.

Each worker judges by what it saw itself. Fails closed: a policy whose precision is too low is used no more by this
worker, whether or not the database can be told.
"""

import logging
import random
from collections import deque

from aiservice.services.alert_notes import AlertNotes
from aiservice.services.cache_policies import CachePolicies
from aiservice.services.semantic_terms import SemanticRule
from aiservice.store.session import DATABASE_ERRORS

LEAST_JUDGED = 20
_LAST_JUDGED = 100  # of these the precision is

log = logging.getLogger(__name__)


class SemanticWatch:
    """One object a worker."""

    def __init__(self, policies: CachePolicies, alerts: AlertNotes) -> None:
        self._policies = policies
        self._alerts = alerts
        self._judged: dict[str, deque[bool]] = {}
        self._off: set[SemanticRule] = set()

    def is_on(self, rule: SemanticRule) -> bool:
        """Whether similar questions may be given answers by this rule, as far as this worker has seen."""
        return rule not in self._off

    def is_sampled(self, rule: SemanticRule) -> bool:
        """Whether a question that would be given an answer is asked all the same."""
        return random.randrange(100) < rule.judged_percent  # noqa: S311 - a sample, no secret

    async def judged(self, rule: SemanticRule, *, is_same: bool) -> None:
        """Notes how the two answers to a pair of similar questions compared."""
        seen = self._judged.setdefault(rule.policy, deque(maxlen=_LAST_JUDGED))
        seen.append(is_same)
        if len(seen) < LEAST_JUDGED or sum(seen) * 100 >= rule.least_precision_percent * len(seen):
            return
        precision_percent = sum(seen) * 100 // len(seen)
        self._off.add(rule)
        del self._judged[rule.policy]
        name, client_id = rule.policy, None
        try:
            if (told := await self._policies.switch_semantic_off(rule.policy, precision_percent)) is not None:
                name, client_id = told
        except DATABASE_ERRORS as error:
            log.warning("A policy's similar questions are off in this worker alone (%s).", type(error).__name__)
        self._alerts.note(
            "semantic_cache_off",
            rule.policy,
            f"Similar questions of {name} are not given each other's answers any more: of the last {len(seen)} that "
            f"were asked all the same, {precision_percent} % got the same answer, and {rule.least_precision_percent} % "
            "is the least. Raise the similarity and set the policy again.",
            client_id=client_id,
            evidence={"judged": len(seen), "agreed": sum(seen)},
        )
