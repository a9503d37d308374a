"""What is asked of disputes and inquiries over HTTP: every path and the rule behind it."""

from shared_runtime.doors import Door, doors_api
from shared_runtime.routers import Router

from dispute_service.api import answers
from dispute_service.api.matters import DISPUTE, INQUIRY, Matters
from dispute_service.api.places import ToMatter, ToOrder
from dispute_service.domain.adjudication import ASSIGN_ADJUDICATOR, PROVIDE_INFO, REQUEST_INFO
from dispute_service.domain.answering import ADD_INQUIRY_MESSAGE, ANSWER_INQUIRY
from dispute_service.domain.appeal_decision import DECIDE_DISPUTE_APPEAL
from dispute_service.domain.appeals import ANSWER_APPEAL, APPEAL_DISPUTE, WAIVE_APPEAL
from dispute_service.domain.blind_offers import MAKE_BLIND_OFFER
from dispute_service.domain.decisions import DECIDE_DISPUTE
from dispute_service.domain.escalation import ESCALATE_DISPUTE
from dispute_service.domain.evidence import LODGE_EVIDENCE, REMOVE_EVIDENCE, SHARE_EVIDENCE
from dispute_service.domain.inquiring import OPEN_INQUIRY
from dispute_service.domain.inquiry_end import CLOSE_INQUIRY
from dispute_service.domain.messages import ADD_DISPUTE_MESSAGE
from dispute_service.domain.opening import OPEN_DISPUTE
from dispute_service.domain.proposals import ACCEPT_PROPOSAL, PROPOSE, REJECT_PROPOSAL
from dispute_service.domain.submission import EXTEND_EVIDENCE, SUBMIT_EVIDENCE, SUBMIT_REBUTTAL
from dispute_service.domain.withdrawal import WITHDRAW_DISPUTE

INQUIRIES_PATH = "/v1/inquiries"
INQUIRY_PATH = f"{INQUIRIES_PATH}/{{inquiry_id}}"
DISPUTES_PATH = "/v1/disputes"
DISPUTE_PATH = f"{DISPUTES_PATH}/{{dispute_id}}"

ASKING = (
    Door(
        INQUIRIES_PATH,
        OPEN_INQUIRY,
        "Ask the seller about your order",
        description="The seller has a day to answer; it is no dispute yet.",
        shows=answers.INQUIRY_COMMAND,
    ),
)
OF_INQUIRIES = (
    Door(
        f"{INQUIRY_PATH}/answer",
        ANSWER_INQUIRY,
        "Answer a question",
        description="The first answer stops the clock. What is sent by itself is no answer.",
        shows=answers.INQUIRY_COMMAND,
    ),
    Door(
        f"{INQUIRY_PATH}/messages",
        ADD_INQUIRY_MESSAGE,
        "Write on about a question",
        shows=answers.INQUIRY_COMMAND,
    ),
    Door(
        f"{INQUIRY_PATH}/closing",
        CLOSE_INQUIRY,
        "Close your question",
        description="It is settled, whether it was answered or not.",
        shows=answers.INQUIRY_COMMAND,
    ),
)
OPENING = (
    Door(
        DISPUTES_PATH,
        OPEN_DISPUTE,
        "Open a dispute about pieces of your order",
        description="With what is wrong, and what you would accept. The seller has some days to "
        "act; if he does not, what you propose is granted as far as a rule may.",
        shows=answers.DISPUTE_COMMAND,
    ),
)
OF_PARTIES = (
    Door(
        f"{DISPUTE_PATH}/proposals",
        PROPOSE,
        "Propose what to do",
        description="It replaces your own. If the other party proposes the same, it is settled.",
        shows=answers.DISPUTE_COMMAND,
    ),
    Door(
        f"{DISPUTE_PATH}/proposals/{{proposal_id}}/acceptance",
        ACCEPT_PROPOSAL,
        "Accept what the other party proposes",
        shows=answers.DISPUTE_COMMAND,
    ),
    Door(
        f"{DISPUTE_PATH}/proposals/{{proposal_id}}/rejection",
        REJECT_PROPOSAL,
        "Reject what the other party proposes",
        description="It stays there, and may still be matched or accepted.",
        shows=answers.DISPUTE_COMMAND,
    ),
    Door(
        f"{DISPUTE_PATH}/blind-offers",
        MAKE_BLIND_OFFER,
        "Say in confidence what you would settle for",
        description="A buyer says the least that he takes, a seller the most that he gives. If "
        "they overlap, it is settled in the middle: from that each of you can tell the other's "
        "figure. If they do not, nobody learns of any. A dry run never tells whether they would.",
        shows=answers.DISPUTE_COMMAND,
    ),
    Door(
        f"{DISPUTE_PATH}/escalation",
        ESCALATE_DISPUTE,
        "Have the platform decide",
        shows=answers.DISPUTE_COMMAND,
    ),
    Door(
        f"{DISPUTE_PATH}/messages",
        ADD_DISPUTE_MESSAGE,
        "Write to the other party",
        description="Both read it at once. For the adjudicator who is assigned, to both.",
        shows=answers.DISPUTE_COMMAND,
    ),
    Door(
        f"{DISPUTE_PATH}/evidence",
        LODGE_EVIDENCE,
        "Lodge a piece of evidence",
        description="You alone see it until you share it, or both sides are disclosed.",
        shows=answers.DISPUTE_COMMAND,
    ),
    Door(
        f"{DISPUTE_PATH}/evidence/sharing",
        SHARE_EVIDENCE,
        "Show evidence of yours to the other party now",
        description="For good. It counts as submitted.",
        shows=answers.DISPUTE_COMMAND,
    ),
    Door(
        f"{DISPUTE_PATH}/evidence/{{evidence_id}}/removal",
        REMOVE_EVIDENCE,
        "Take a piece of evidence back",
        description="Which nobody else has seen.",
        shows=answers.DISPUTE_COMMAND,
    ),
    Door(
        f"{DISPUTE_PATH}/evidence/extension",
        EXTEND_EVIDENCE,
        "Ask for more time for evidence",
        description="Once in a dispute; both parties have it.",
        shows=answers.DISPUTE_COMMAND,
    ),
    Door(
        f"{DISPUTE_PATH}/evidence/submission",
        SUBMIT_EVIDENCE,
        "Submit your evidence",
        description="What you have lodged is sealed. Once both have submitted, or the time is "
        "over, each sees the other's at the same moment.",
        shows=answers.DISPUTE_COMMAND,
    ),
    Door(
        f"{DISPUTE_PATH}/rebuttal",
        SUBMIT_REBUTTAL,
        "Say what you think of the other party's evidence",
        shows=answers.DISPUTE_COMMAND,
    ),
    Door(
        f"{DISPUTE_PATH}/information-requests/answer",
        PROVIDE_INFO,
        "Answer the adjudicator's question",
        description="For the party who was asked. The clock of the decision runs on then.",
        shows=answers.DISPUTE_COMMAND,
    ),
    Door(
        f"{DISPUTE_PATH}/appeals",
        APPEAL_DISPUTE,
        "Appeal the decision",
        description="Once. Nothing is carried out before the appeal is decided.",
        shows=answers.DISPUTE_COMMAND,
    ),
    Door(
        f"{DISPUTE_PATH}/appeals/waiver",
        WAIVE_APPEAL,
        "Do without an appeal",
        description="If both do, the decision is final at once.",
        shows=answers.DISPUTE_COMMAND,
    ),
    Door(
        f"{DISPUTE_PATH}/appeals/{{appeal_id}}/answer",
        ANSWER_APPEAL,
        "Answer the other party's appeal",
        shows=answers.DISPUTE_COMMAND,
    ),
    Door(
        f"{DISPUTE_PATH}/withdrawal",
        WITHDRAW_DISPUTE,
        "Withdraw your dispute",
        description="It may be opened again while there is time for it.",
        shows=answers.DISPUTE_COMMAND,
    ),
)
OF_STAFF = (
    Door(
        f"{DISPUTE_PATH}/assignment",
        ASSIGN_ADJUDICATOR,
        "Assign an adjudicator by hand",
        description="In the place of who has it. Else one is drawn.",
        shows=answers.DISPUTE_COMMAND,
        versioned=True,
    ),
    Door(
        f"{DISPUTE_PATH}/information-requests",
        REQUEST_INFO,
        "Ask a party for what is missing",
        description="For who is assigned. The clock of the decision stands still until the answer.",
        shows=answers.DISPUTE_COMMAND,
        versioned=True,
    ),
    Door(
        f"{DISPUTE_PATH}/decision",
        DECIDE_DISPUTE,
        "Decide a dispute, with reasons",
        description="For who is assigned. With `validate_only`, what would come of it: the "
        "statements that would be sent, nothing recorded.",
        shows=answers.DISPUTE_COMMAND,
        versioned=True,
    ),
    Door(
        f"{DISPUTE_PATH}/appeals/decision",
        DECIDE_DISPUTE_APPEAL,
        "Decide the appeals, with reasons",
        description="For the SENIOR who is assigned, never who decided first.",
        shows=answers.DISPUTE_COMMAND,
        versioned=True,
    ),
)


def matter_doors(matters: Matters) -> list[Router]:
    to_order = ToOrder(matters, DISPUTE, id_of=lambda said: said.dispute_id)
    to_dispute = ToMatter(matters, DISPUTE, "dispute_id")
    to_inquiry = ToMatter(matters, INQUIRY, "inquiry_id")
    to_staff = ToMatter(matters, DISPUTE, "dispute_id", also=())
    asking = ToOrder(matters, INQUIRY, id_of=lambda said: said.inquiry_id)
    return [
        doors_api(ASKING, asking, "inquiries"),
        doors_api(OF_INQUIRIES, to_inquiry, "inquiries"),
        doors_api(OPENING, to_order, "disputes"),
        doors_api(OF_PARTIES, to_dispute, "disputes"),
        doors_api(OF_STAFF, to_staff, "adjudication"),
    ]
