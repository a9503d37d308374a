"""What is asked of returns over HTTP: every path and the rule behind it."""

from shared_runtime.doors import Door, doors_api
from shared_runtime.routers import Router

from returns_service.api import return_answers as answers
from returns_service.api.return_places import (
    AtReturn,
    PostedBody,
    ToOrder,
    ToToldReturn,
    content_digest,
    posting_proof,
    somebody_tells,
)
from returns_service.api.returns import Returns
from returns_service.domain.approving import APPROVE_RETURN
from returns_service.domain.cancelling import CANCEL_RETURN
from returns_service.domain.contesting import CONTEST_RETURN
from returns_service.domain.declining import DECLINE_RETURN
from returns_service.domain.exchanging import RECORD_REPLACEMENT_DELIVERED, SHIP_REPLACEMENT
from returns_service.domain.inspecting import INSPECT_UNITS
from returns_service.domain.labelling import ISSUE_LABEL
from returns_service.domain.losing import RECORD_LOSS
from returns_service.domain.offering import ANSWER_OFFER, OFFER_PARTIAL_REFUND
from returns_service.domain.receiving import RECEIVE_UNITS
from returns_service.domain.recovering import CONFIRM_UNRECOVERED
from returns_service.domain.reserving import RECORD_DIFFERENCE_PAID
from returns_service.domain.return_request import REQUEST_RETURN
from returns_service.domain.scanning import RECORD_SCAN
from returns_service.domain.sending_back import SEND_BACK_UNITS, WAIVE_GOODS
from returns_service.domain.shipping_back import SHIP_BACK
from returns_service.domain.withdrawing import CONFIRM_WITHDRAWAL, DECLARE_WITHDRAWAL

RETURNS_PATH = "/v1/returns"
RETURN_PATH = f"{RETURNS_PATH}/{{return_id}}"
WITHDRAWALS_PATH = "/v1/withdrawals"
WITHDRAWAL_PATH = f"{WITHDRAWALS_PATH}/{{return_id}}"

ASKING = (
    Door(
        RETURNS_PATH,
        REQUEST_RETURN,
        "Ask to return, exchange or claim pieces of your order",
        description="Decided at once where a rule can decide it: the answer says how, and by which "
        "tests. Else the seller or the desk answers in time.",
        shows=answers.RETURN_COMMAND,
    ),
)
WITHDRAWING = (
    Door(
        WITHDRAWALS_PATH,
        DECLARE_WITHDRAWAL,
        "Declare that you withdraw from the contract",
        description="The first of two steps. No reason is asked or taken.",
        shows=answers.RETURN_COMMAND,
    ),
)
CONFIRMING = (
    Door(
        f"{WITHDRAWAL_PATH}/confirmation",
        CONFIRM_WITHDRAWAL,
        "Confirm your withdrawal",
        description="The second step. The answer acknowledges what you have said, and when it has "
        "come, to the second.",
        shows=answers.RETURN_COMMAND,
    ),
)
SENDING = (
    Door(
        f"{RETURN_PATH}/shipment",
        SHIP_BACK,
        "Say that you have sent the goods",
        description="With any carrier. A receipt of posting counts as a scan where a withdrawal is "
        "to be paid.",
        shows=answers.RETURN_COMMAND,
    ),
)
OF_PARTIES = (
    Door(
        f"{RETURN_PATH}/offers",
        OFFER_PARTIAL_REFUND,
        "Offer money if the buyer keeps the goods",
        description="Each offer above the last. Your own time to answer runs on.",
        shows=answers.RETURN_COMMAND,
    ),
    Door(
        f"{RETURN_PATH}/offers/{{offer_id}}/answer",
        ANSWER_OFFER,
        "Take the offer and keep the goods, or not",
        shows=answers.RETURN_COMMAND,
    ),
    Door(
        f"{RETURN_PATH}/cancellation",
        CANCEL_RETURN,
        "Cancel a return of which nothing was sent",
        description="Its pieces are free for another one.",
        shows=answers.RETURN_COMMAND,
    ),
    Door(
        f"{RETURN_PATH}/contest",
        CONTEST_RETURN,
        "Object to what was done with your return",
        description="A dispute is opened on it, with the file of the return.",
        shows=answers.RETURN_COMMAND,
    ),
)
OF_REVIEWERS = (
    Door(
        f"{RETURN_PATH}/approval",
        APPROVE_RETURN,
        "Approve a return",
        description="For the seller; for the desk where it reviews. Of a claim of money what was "
        "asked, or more. Goods that came unasked are approved the same way.",
        shows=answers.RETURN_COMMAND,
        versioned=True,
    ),
    Door(
        f"{RETURN_PATH}/refusal",
        DECLINE_RETURN,
        "Decline a return, with a reason",
        description="For whoever reviews it. The desk's has rules and facts, and a statement of "
        "reasons goes to the buyer, who may contest it.",
        shows=answers.RETURN_COMMAND,
        versioned=True,
    ),
)
OF_GOODS = (
    Door(
        f"{RETURN_PATH}/receipt",
        RECEIVE_UNITS,
        "A parcel was opened: what was in it",
        description="For the seller and the warehouse. Piece by piece; also what nobody has asked "
        "for, and corrections.",
        shows=answers.RETURN_COMMAND,
        told=True,
    ),
    Door(
        f"{RETURN_PATH}/inspection",
        INSPECT_UNITS,
        "Accept or reject the goods",
        description="With a grade, or a reason. A deduction and a rejection need a photo.",
        shows=answers.RETURN_COMMAND,
        told=True,
    ),
    Door(
        f"{RETURN_PATH}/goods/shipment",
        SEND_BACK_UNITS,
        "Rejected or unasked goods go back to the buyer",
        shows=answers.RETURN_COMMAND,
        told=True,
    ),
    Door(
        f"{RETURN_PATH}/goods/waiver",
        WAIVE_GOODS,
        "Do without goods that were rejected",
        description="The seller may keep them, and owes nothing for them.",
        shows=answers.RETURN_COMMAND,
    ),
    Door(
        f"{RETURN_PATH}/replacement/shipment",
        SHIP_REPLACEMENT,
        "The replacement is on its way",
        shows=answers.RETURN_COMMAND,
        told=True,
    ),
    Door(
        f"{RETURN_PATH}/advances/confirmation",
        CONFIRM_UNRECOVERED,
        "Confirm that nothing stands behind an advance",
        description="For the desk: the seller who inspected is believed, and it is owed to him.",
        shows=answers.RETURN_COMMAND,
        versioned=True,
    ),
)
OF_DELIVERY = (
    Door(
        f"{RETURN_PATH}/replacement/delivery",
        RECORD_REPLACEMENT_DELIVERED,
        "The replacement has come",
        description="For the buyer and the carrier.",
        shows=answers.RETURN_COMMAND,
        told=True,
    ),
)
OF_CARRIERS = (
    Door(
        f"{RETURN_PATH}/replacement/payment",
        RECORD_DIFFERENCE_PAID,
        "The buyer has paid the difference",
        description="The payment is captured only after this was recorded.",
        shows=answers.RETURN_COMMAND,
        told=True,
    ),
    Door(
        f"{RETURN_PATH}/scans",
        RECORD_SCAN,
        "The carrier has scanned the goods",
        description="In any order, also twice or late.",
        shows=answers.RETURN_COMMAND,
        told=True,
    ),
    Door(
        f"{RETURN_PATH}/labels",
        ISSUE_LABEL,
        "The carrier has made the label",
        shows=answers.RETURN_COMMAND,
        told=True,
    ),
)
OF_LOSSES = (
    Door(
        f"{RETURN_PATH}/losses",
        RECORD_LOSS,
        "The carrier says that the goods are lost",
        shows=answers.RETURN_COMMAND,
        told=True,
    ),
)


def return_doors(returns: Returns) -> list[Router]:
    confirming = AtReturn(returns, gives=frozenset({"content_sha256"}), says=content_digest)
    sending = AtReturn(
        returns, gives=frozenset({"proof_sha256"}), body=PostedBody, says=posting_proof
    )
    delivering = AtReturn(returns, gives=frozenset({"assumed"}), says=somebody_tells)
    losing = ToToldReturn(returns, gives=frozenset({"told"}), given={"told": True})
    return [
        doors_api(ASKING, ToOrder(returns), "returns"),
        doors_api(WITHDRAWING, ToOrder(returns), "withdrawals"),
        doors_api(CONFIRMING, confirming, "withdrawals"),
        doors_api(SENDING, sending, "returns"),
        doors_api(OF_PARTIES, AtReturn(returns), "returns"),
        doors_api(OF_GOODS, AtReturn(returns), "returns"),
        doors_api(OF_DELIVERY, delivering, "returns"),
        doors_api(OF_REVIEWERS, AtReturn(returns), "returns"),
        doors_api(OF_CARRIERS, ToToldReturn(returns), "returns"),
        doors_api(OF_LOSSES, losing, "returns"),
    ]
