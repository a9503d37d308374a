"""The life of a return: every command that it knows."""

from typing import Any

from shared_events.returns import ReturnEvent
from shared_runtime.decider import Decider
from shared_runtime.rule import Sent
from shared_runtime.rules import Rules

from returns_service.domain.asking_rules import ASKING
from returns_service.domain.goods_rules import GOODS
from returns_service.domain.known import Known
from returns_service.domain.return_fold import evolve
from returns_service.domain.return_state import ReturnState, Unbegun

RETURN_RULES = Rules[ReturnState, Known, ReturnEvent](*ASKING, *GOODS)

type ReturnCommand = Sent[Any, Known]

RETURNS = Decider[ReturnState, ReturnCommand, ReturnEvent](
    initial=Unbegun(), decide=RETURN_RULES.decide, evolve=evolve
)
