"""What is asked of accounts and cases over HTTP: every path and the rule behind it."""

from shared_events.fields import Party
from shared_runtime.doors import Door, doors_api
from shared_runtime.routers import Router

from reputation_service.api import query_answers as answers
from reputation_service.api.matters import Matters
from reputation_service.api.places import ToAccount, ToCase, ToForget, ToSuspect
from reputation_service.domain.case_appeals import APPEAL_VIOLATION, DECIDE_VIOLATION_APPEAL
from reputation_service.domain.case_opening import OPEN_CASE
from reputation_service.domain.confirming import CONFIRM_VIOLATION, DISMISS_CASE
from reputation_service.domain.erasing import REQUEST_ERASURE
from reputation_service.domain.protection import GRANT_PROTECTION
from reputation_service.domain.statements import SUBMIT_STATEMENT
from reputation_service.domain.suspension import LIFT_MEASURE, SUSPEND_ACCOUNT
from reputation_service.domain.termination import CANCEL_TERMINATION

CASES_PATH = "/v1/cases"
CASE_PATH = f"{CASES_PATH}/{{case_id}}"
ERASURES_PATH = "/v1/erasures"

OPENING = (
    Door(
        CASES_PATH,
        OPEN_CASE,
        "Open a case against a seller or a buyer",
        description="With what shows it. The accused is heard before anybody decides. Of one cause "
        "there is one case.",
        shows=answers.CASE_COMMAND,
    ),
)
OF_CASES = (
    Door(
        f"{CASE_PATH}/statement",
        SUBMIT_STATEMENT,
        "Say what you have to say about a case against you",
        description="Once. From then on a person decides.",
        shows=answers.CASE_COMMAND,
    ),
    Door(
        f"{CASE_PATH}/appeals",
        APPEAL_VIOLATION,
        "Appeal a decision against you",
        description="Once. Another person looks at it; the worst measures rest meanwhile, unless "
        "others would be in danger.",
        shows=answers.CASE_COMMAND,
    ),
)
OF_STAFF = (
    Door(
        f"{CASE_PATH}/confirmation",
        CONFIRM_VIOLATION,
        "Confirm a violation, with points and reasons",
        description="Not before the accused has spoken, or may not any more. Of many points not by "
        "who has opened the case. With `validate_only`, what would come of it.",
        shows=answers.CASE_COMMAND,
        versioned=True,
    ),
    Door(
        f"{CASE_PATH}/dismissal",
        DISMISS_CASE,
        "Dismiss a case",
        shows=answers.CASE_COMMAND,
        versioned=True,
    ),
    Door(
        f"{CASE_PATH}/appeals/decision",
        DECIDE_VIOLATION_APPEAL,
        "Decide an appeal, with reasons",
        description="Never by who decided first.",
        shows=answers.CASE_COMMAND,
        versioned=True,
    ),
)
FORGETTING = (
    Door(
        ERASURES_PATH,
        REQUEST_ERASURE,
        "Have somebody forgotten",
        description="While anything of his is open it is deferred, and done by itself when the "
        "last of it closes. Then every service destroys his key: what he wrote cannot be read any "
        "more, numbers stay.",
        shows=answers.STANDING_COMMAND,
    ),
)


def of_accounts(path: str, of: str) -> tuple[Door, ...]:
    return (
        Door(
            f"{path}/protections",
            GRANT_PROTECTION,
            "Keep the public level where it is for a while",
            description="The real level goes on being worked out. CRITICAL shows all the same.",
            shows=answers.STANDING_COMMAND,
            versioned=True,
            of=of,
        ),
        Door(
            f"{path}/suspensions",
            SUSPEND_ACCOUNT,
            "Suspend an account for the safety of others",
            description="With a safety case against its holder, open or confirmed.",
            shows=answers.STANDING_COMMAND,
            versioned=True,
            of=of,
        ),
        Door(
            f"{path}/measures/{{measure_id}}/lifting",
            LIFT_MEASURE,
            "Lift a suspension before its end",
            description="No other measure: they follow from points.",
            shows=answers.STANDING_COMMAND,
            versioned=True,
            of=of,
        ),
        Door(
            f"{path}/termination/cancellation",
            CANCEL_TERMINATION,
            "Take a notice of termination back",
            shows=answers.STANDING_COMMAND,
            versioned=True,
            of=of,
        ),
    )


def matter_doors(matters: Matters) -> list[Router]:
    sides: tuple[tuple[Party, str], ...] = (("SELLER", "seller"), ("BUYER", "buyer"))
    return [
        doors_api(OPENING, ToSuspect(matters), "cases"),
        doors_api((*OF_CASES, *OF_STAFF), ToCase(matters), "cases"),
        doors_api(FORGETTING, ToForget(matters), "privacy"),
        *(
            doors_api(
                of_accounts(f"/v1/{name}s/{{{name}_id}}", f"Of{name.title()}"),
                ToAccount(matters, side, f"{name}_id"),
                f"{name}s",
            )
            for side, name in sides
        ),
    ]
