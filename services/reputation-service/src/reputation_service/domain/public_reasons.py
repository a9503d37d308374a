"""A statement of reasons in, what the public database of the European Union takes of it out.

The fields and words are those of its interface (transparency.dsa.ec.europa.eu, "API
documentation" and "Additional explanation for statement attributes"). What is public names nobody:
of the facts, which are sealed for the recipient, it gets the plain words.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared_events.common import StatementOfReasonsIssued
from shared_events.reputation import ViolationRule

from reputation_service.domain.violations import REVIEW, VIOLATIONS

GROUND_LENGTH_MAX = 500
OTHER = "OTHER"
POINTS = "Points against the account, which lower the level that is shown."
TERMS_CATEGORY = "STATEMENT_CATEGORY_OTHER_VIOLATION_TC"
CATEGORY: Mapping[ViolationRule, str] = {
    "FAKE_TRANSACTION": "STATEMENT_CATEGORY_SCAMS_AND_FRAUD",
    "SELF_RATING": "STATEMENT_CATEGORY_SCAMS_AND_FRAUD",
    "REVIEW_RING": "STATEMENT_CATEGORY_SCAMS_AND_FRAUD",
    "COUNTERFEIT": "STATEMENT_CATEGORY_INTELLECTUAL_PROPERTY_INFRINGEMENTS",
}
"""Everything else breaks the terms of the marketplace."""
SOURCE = {
    "NOTICE": "SOURCE_ARTICLE_16",
    "OWN_INITIATIVE": "SOURCE_VOLUNTARY",
    "COMPLAINT": "SOURCE_TYPE_OTHER_NOTIFICATION",
}
AUTOMATED = {
    "FULLY": "AUTOMATED_DECISION_FULLY",
    "PARTIALLY": "AUTOMATED_DECISION_PARTIALLY",
    "NOT": "AUTOMATED_DECISION_NOT_AUTOMATED",
}
UNFIT = re.compile(r"[^a-zA-Z0-9_-]")


def submission(told: StatementOfReasonsIssued, rule: ViolationRule | None) -> dict[str, Any]:
    """`rule`: the one that was broken, where a case tells; else it is among those that a statement
    names. Absent fields are left out.
    """
    named: ViolationRule | None = next((each for each in VIOLATIONS if each in told.rule_ids), None)
    category = CATEGORY.get(rule or named or REVIEW, TERMS_CATEGORY)
    end = told.end_date and day(told.end_date)
    visibility, monetary = told.decision_visibility, told.decision_monetary
    fields: dict[str, Any] = {
        "decision_visibility": [f"DECISION_VISIBILITY_{visibility}"] if visibility else None,
        "decision_visibility_other": POINTS if visibility == OTHER else None,
        "end_date_visibility_restriction": end if visibility else None,
        "decision_monetary": monetary and f"DECISION_MONETARY_{monetary}",
        "decision_monetary_other": told.explanation[:GROUND_LENGTH_MAX]
        if monetary == OTHER
        else None,
        "end_date_monetary_restriction": end if monetary else None,
        "decision_provision": told.decision_provision
        and f"DECISION_PROVISION_{told.decision_provision}",
        "end_date_service_restriction": end if told.decision_provision else None,
        "decision_account": told.decision_account and f"DECISION_ACCOUNT_{told.decision_account}",
        "end_date_account_restriction": end if told.decision_account else None,
        "account_type": "ACCOUNT_TYPE_BUSINESS"
        if told.recipient_role == "SELLER"
        else "ACCOUNT_TYPE_PRIVATE",
        "decision_ground": f"DECISION_GROUND_{told.decision_ground}",
        **ground(told),
        "content_type": ["CONTENT_TYPE_OTHER"],
        "content_type_other": "Conduct of an account on a marketplace",
        "content_date": day(told.application_date),
        "category": category,
        "application_date": day(told.application_date),
        "decision_facts": told.explanation,
        "source_type": SOURCE[told.source_type],
        "automated_detection": "Yes" if told.automated_detection else "No",
        "automated_decision": AUTOMATED[told.automated_decision],
        "puid": UNFIT.sub("_", told.sor_id),
    }
    return {name: value for name, value in fields.items() if value is not None}


def ground(told: StatementOfReasonsIssued) -> dict[str, str]:
    """The rules, and in plain words why."""
    rules = ", ".join(told.rule_ids)[:GROUND_LENGTH_MAX]
    if told.decision_ground == "ILLEGAL_CONTENT":
        return {
            "illegal_content_legal_ground": rules,
            "illegal_content_explanation": told.explanation,
        }
    return {
        "incompatible_content_ground": rules,
        "incompatible_content_explanation": told.explanation,
        "incompatible_content_illegal": "No",
    }


def day(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d}"
