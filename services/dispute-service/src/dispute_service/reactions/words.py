"""Passed deadlines in, the platform's own words about them out: sealed for each party."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared_runtime.keys import KeyStore, new_key
from shared_runtime.log import Decisions
from shared_runtime.sealing import PersonKey, person
from shared_runtime.timers import DueTimer

from dispute_service.domain.dispute_state import Dispute
from dispute_service.domain.platform_default import facts_of_delay
from dispute_service.domain.rules import DISPUTES
from dispute_service.domain.silence import facts_of_silence
from dispute_service.domain.timers import PlatformWords

SPEAKING = frozenset({"DISPUTE_ANSWER", "PLATFORM_DEFAULT"})
"""At these somebody is told why it goes against him."""
NO_WORDS = PlatformWords(for_buyer="", for_seller="")


@dataclass(frozen=True, slots=True)
class Words:
    """`keys`: of the parties of all disputes in which somebody is told something."""

    keys: Mapping[str, PersonKey]

    def about(self, timer: DueTimer, dispute: Dispute) -> PlatformWords:
        if timer.name.kind not in SPEAKING or dispute.status == "CLOSED":
            return NO_WORDS
        is_silence = timer.name.kind == "DISPUTE_ANSWER"
        if not is_silence and dispute.decide_by is None:
            return NO_WORDS
        text = facts_of_silence(dispute) if is_silence else facts_of_delay(dispute)
        buyer, seller = persons_of(dispute)
        return PlatformWords(
            for_buyer=self._sealed(buyer, text), for_seller=self._sealed(seller, text)
        )

    def _sealed(self, who: str, text: str) -> str:
        """Nobody can open what an erased one is told."""
        return (self.keys.get(who) or new_key(who)).unsealed(text)


async def words_for(timers: Iterable[DueTimer], decisions: Decisions, keys: KeyStore) -> Words:
    """Keys are fetched where there is something to say, all at once."""
    persons = {
        who
        for timer in timers
        if timer.name.kind in SPEAKING
        and isinstance(dispute := decisions.state(DISPUTES, timer.stream), Dispute)
        for who in persons_of(dispute)
    }
    return Words(await keys.keys_of(persons) if persons else {})


def persons_of(dispute: Dispute) -> tuple[str, str]:
    opened = dispute.opened
    return person("buyer", opened.buyer_id), person("seller", opened.seller_id)
