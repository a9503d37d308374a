"""The life of an inquiry: every command that it knows, in the order of its life."""

from typing import Any

from shared_events.dispute import InquiryEvent
from shared_runtime.decider import Decider
from shared_runtime.rule import Sent
from shared_runtime.rules import Rules

from dispute_service.domain.answering import (
    ADD_INQUIRY_MESSAGE,
    ANSWER_INQUIRY,
    MARK_INQUIRY_OVERDUE,
)
from dispute_service.domain.inquiring import OPEN_INQUIRY
from dispute_service.domain.inquiry_end import CLOSE_INQUIRY
from dispute_service.domain.inquiry_state import InquiryState, Unasked, evolve
from dispute_service.domain.known import Known

INQUIRY_RULES = Rules[InquiryState, Known, InquiryEvent](
    OPEN_INQUIRY,
    ANSWER_INQUIRY,
    ADD_INQUIRY_MESSAGE,
    MARK_INQUIRY_OVERDUE,
    CLOSE_INQUIRY,
)

type InquiryCommand = Sent[Any, Known]

INQUIRIES = Decider[InquiryState, InquiryCommand, InquiryEvent](
    initial=Unasked(), decide=INQUIRY_RULES.decide, evolve=evolve
)
