"""The answer cache: what was asked before, word for word, by the same client (or team), is not asked again.

    key   BLAKE2b (RFC 7693), keyed by a secret of the vault, of: who shares answers and since when, the surface, the
          places the request may go to, what its headers say to the provider, and the whole body in canonical form

The key says nothing to who holds no master key, and two that share nothing never have the same. Answers are plain in
this process' memory alone; in Redis each is sealed (`cache_seal.py`). There is no third place. Vectors of questions,
where a policy lets similar ones share answers, are in this process' memory and nowhere else (`semantic_index.py`).

Fails open: without Redis a worker has what it remembers itself; without the database, the policies it read last.
"""

import asyncio
import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from aiservice.principal import Principal
from aiservice.services.answer_claims import AnswerClaims, answer_name
from aiservice.services.cache_policies import POLICIES, CachePolicies
from aiservice.services.cache_seal import CacheSeal
from aiservice.services.cache_tally import CacheTally
from aiservice.services.cache_terms import CacheRule
from aiservice.services.cached_answer import AnswerMemory, CachedAnswer
from aiservice.services.semantic_index import SemanticIndex
from aiservice.services.vault import Vault
from aiservice.store.cache import EVERYBODY
from aiservice.store.shared import Shared

MAX_ANSWER_BYTES = 4 << 20
_MOST_WRITING = 64
_LABEL = b"answer cache v1"


class Asked(NamedTuple):
    """What decides an answer: the surface it is in the words of, the connections and models (`places`) it may come
    from, in any order, what else is `said`, and the body."""

    surface: str
    places: Iterable[str]
    said: tuple[object, ...]
    body: dict[str, Any]


class AnswerCache:
    """One object a worker."""

    def __init__(
        self,
        policies: CachePolicies,
        tally: CacheTally,
        vault: Vault,
        seal: CacheSeal,
        *,
        shared: Shared | None,
        most_bytes: int,
    ) -> None:
        self.policies = policies
        self.tally = tally
        self._vault = vault
        self._shared = shared
        self._seal = seal
        self.claims = None if shared is None else AnswerClaims(shared)
        self.memory = AnswerMemory(most_bytes)
        self.similar = SemanticIndex()
        self._secret: bytes | None = None
        self._looking: dict[bytes, asyncio.Task[CachedAnswer | None]] = {}
        self._writing: set[asyncio.Task[None]] = set()

    @property
    def is_shared(self) -> bool:
        """Whether other workers' answers can be had now."""
        return self._shared is not None and self._shared.is_up

    def key_of(self, principal: Principal, rule: CacheRule, asked: Asked) -> bytes | None:
        """The key of a request; None where it has none: the vault is sealed, or the body has no canonical form."""
        secret = self._secret
        if secret is None:
            if self._vault.is_sealed:
                return None
            secret = self._secret = self._vault.derive(_LABEL)
        owner = principal.team_id if rule.shared_by == "team" and principal.team_id else principal.client_id
        purged = self.policies.purged_us
        head = [owner, purged.get(owner, 0), purged.get(EVERYBODY, 0), asked.surface, sorted(asked.places), asked.said]
        try:
            # A list and an object side by side: no two pairs of them are the same bytes.
            words = orjson.dumps(head) + orjson.dumps(asked.body, option=orjson.OPT_SORT_KEYS)
        except (TypeError, ValueError):
            return None
        return hashlib.blake2b(words, key=secret, digest_size=32).digest()

    def find(self, key: bytes) -> CachedAnswer | None:
        """What this worker remembers."""
        return self._current(self.memory.get(key))

    async def find_shared(self, key: bytes) -> CachedAnswer | None:
        """What any worker kept. Who asks for the same at once is told by one look."""
        if self._shared is None or not self._shared.is_up:
            return None
        looking = self._looking.get(key)
        if looking is None:
            looking = self._looking[key] = asyncio.create_task(self._look(key, self._shared))
            looking.add_done_callback(lambda _task: self._looking.pop(key, None))
        return self._current(await asyncio.shield(looking))

    async def opened(self, key: bytes, value: bytes) -> CachedAnswer | None:
        """What another worker kept, in its seal; None where it is none, or was purged."""
        answer = await self._seal.open(key, value)
        if answer is not None:
            self.memory.put(key, answer)
        return self._current(answer)

    def keep(self, key: bytes, answer: CachedAnswer) -> "asyncio.Task[None] | None":
        """Keeps an answer here, and soon for the other workers: then what is returned is done. Never waits."""
        if len(answer.packed) > MAX_ANSWER_BYTES:
            return None
        self.memory.put(key, answer)
        if self.is_shared and len(self._writing) < _MOST_WRITING:
            writing = asyncio.create_task(self._write(key, answer), name="cached answer")
            self._writing.add(writing)
            writing.add_done_callback(self._writing.discard)
            return writing
        return None

    async def settled(self) -> None:
        """Waits until what is kept so far is where other workers find it, or could not be."""
        await asyncio.gather(*self._writing)
        if self.claims is not None:
            await self.claims.settled()

    def on_change(self, kind: str, subject: str) -> None:
        """A subscriber for the change feed: what was purged, or whose client was shredded, leaves the memory."""
        if kind != "cache" or subject == POLICIES:
            return
        if subject == EVERYBODY:
            self.memory.clear()
            self.similar.clear()
            self._seal.forget_all()
        else:
            self.memory.remove_of(subject)
            self.similar.remove_of(subject)
            self._seal.forget(subject)

    def _current(self, answer: CachedAnswer | None) -> CachedAnswer | None:
        """The same answer, unless its client's were purged since: a team's key does not say so."""
        if answer is None or answer.made_us <= self.policies.purged_us.get(answer.client_id, 0):
            return None
        return answer

    async def _look(self, key: bytes, shared: Shared) -> CachedAnswer | None:
        value = await shared.get(answer_name(key))
        return None if value is None else await self.opened(key, value)

    async def _write(self, key: bytes, answer: CachedAnswer) -> None:
        value = await self._seal.seal(key, answer)
        left_seconds = (answer.ends_us - answer.made_us) // 1_000_000
        if value is not None and self._shared is not None and left_seconds > 0:
            await self._shared.put(answer_name(key), value, left_seconds)
