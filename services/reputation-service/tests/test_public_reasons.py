"""A statement of reasons is told to the public database in its own fields and words."""

from typing import Any

import pytest
from jsonschema_rs import validator_for
from reputation_service.domain.public_reasons import submission
from reputation_service.testing import at, case_history, history, penalty, say
from reputation_service.testing.stories import CONFIRMED, NOTICE, OPEN, RESTRICTED, SUSPENDED
from shared_events.common import StatementOfReasonsIssued
from shared_events.samples import sample

# What its interface takes: the required fields, their words and bounds, and which of them go
# together (transparency.dsa.ec.europa.eu, "API documentation").
RESTRICTIONS = (
    "decision_visibility",
    "decision_monetary",
    "decision_provision",
    "decision_account",
)
SUBMISSION: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        "decision_ground",
        "content_type",
        "content_date",
        "category",
        "application_date",
        "decision_facts",
        "source_type",
        "automated_detection",
        "automated_decision",
        "puid",
    ],
    "anyOf": [{"required": [name]} for name in RESTRICTIONS],
    "properties": {
        "decision_visibility": {
            "type": "array",
            "minItems": 1,
            "items": {
                "enum": [
                    "DECISION_VISIBILITY_CONTENT_REMOVED",
                    "DECISION_VISIBILITY_CONTENT_DISABLED",
                    "DECISION_VISIBILITY_CONTENT_DEMOTED",
                    "DECISION_VISIBILITY_CONTENT_LABELLED",
                    "DECISION_VISIBILITY_OTHER",
                ]
            },
        },
        "decision_visibility_other": {"type": "string", "maxLength": 500},
        "decision_monetary": {
            "enum": [f"DECISION_MONETARY_{word}" for word in ("SUSPENSION", "TERMINATION", "OTHER")]
        },
        "decision_monetary_other": {"type": "string", "maxLength": 500},
        "decision_provision": {
            "enum": [
                f"DECISION_PROVISION_{how}_{what}"
                for how in ("PARTIAL", "TOTAL")
                for what in ("SUSPENSION", "TERMINATION")
            ]
        },
        "decision_account": {"enum": ["DECISION_ACCOUNT_SUSPENDED", "DECISION_ACCOUNT_TERMINATED"]},
        **{
            f"end_date_{name}_restriction": {"$ref": "#/$defs/day"}
            for name in ("visibility", "monetary", "service", "account")
        },
        "account_type": {"enum": ["ACCOUNT_TYPE_BUSINESS", "ACCOUNT_TYPE_PRIVATE"]},
        "decision_ground": {
            "enum": ["DECISION_GROUND_ILLEGAL_CONTENT", "DECISION_GROUND_INCOMPATIBLE_CONTENT"]
        },
        "illegal_content_legal_ground": {"type": "string", "maxLength": 500},
        "illegal_content_explanation": {"type": "string", "maxLength": 2000},
        "incompatible_content_ground": {"type": "string", "maxLength": 500},
        "incompatible_content_explanation": {"type": "string", "maxLength": 2000},
        "incompatible_content_illegal": {"enum": ["Yes", "No"]},
        "content_type": {"type": "array", "minItems": 1, "items": {"const": "CONTENT_TYPE_OTHER"}},
        "content_type_other": {"type": "string", "maxLength": 500},
        "content_date": {"$ref": "#/$defs/day"},
        "category": {
            "enum": [
                "STATEMENT_CATEGORY_SCAMS_AND_FRAUD",
                "STATEMENT_CATEGORY_INTELLECTUAL_PROPERTY_INFRINGEMENTS",
                "STATEMENT_CATEGORY_OTHER_VIOLATION_TC",
            ]
        },
        "application_date": {"$ref": "#/$defs/day"},
        "decision_facts": {"type": "string", "minLength": 1, "maxLength": 5000},
        "source_type": {
            "enum": [
                "SOURCE_ARTICLE_16",
                "SOURCE_TRUSTED_FLAGGER",
                "SOURCE_TYPE_OTHER_NOTIFICATION",
                "SOURCE_VOLUNTARY",
            ]
        },
        "automated_detection": {"enum": ["Yes", "No"]},
        "automated_decision": {
            "enum": [
                f"AUTOMATED_DECISION_{word}" for word in ("FULLY", "PARTIALLY", "NOT_AUTOMATED")
            ]
        },
        "puid": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,500}$"},
    },
    "dependentRequired": {"content_type": ["content_type_other"]},
    "allOf": [
        {
            "if": {"properties": {"decision_ground": {"const": "DECISION_GROUND_ILLEGAL_CONTENT"}}},
            "then": {"required": ["illegal_content_legal_ground", "illegal_content_explanation"]},
            "else": {
                "required": ["incompatible_content_ground", "incompatible_content_explanation"]
            },
        },
        {
            "if": {
                "properties": {"decision_monetary": {"const": "DECISION_MONETARY_OTHER"}},
                "required": ["decision_monetary"],
            },
            "then": {"required": ["decision_monetary_other"]},
        },
        {
            "if": {
                "properties": {
                    "decision_visibility": {"contains": {"const": "DECISION_VISIBILITY_OTHER"}}
                },
                "required": ["decision_visibility"],
            },
            "then": {"required": ["decision_visibility_other"]},
        },
    ],
    "$defs": {"day": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}},
}
VALID = validator_for(SUBMISSION)


def issued(*events: object) -> list[StatementOfReasonsIssued]:
    return [each for each in events if isinstance(each, StatementOfReasonsIssued)]


STATEMENTS = [
    *issued(*history(*RESTRICTED)),
    *issued(*history(*NOTICE)),
    *issued(*history(*SUSPENDED)),
    *issued(*case_history(*CONFIRMED)),
    *issued(sample(StatementOfReasonsIssued)),
]


@pytest.mark.parametrize("told", STATEMENTS, ids=lambda told: told.sor_id)
def test_every_statement_is_one_that_the_database_takes(told: StatementOfReasonsIssued) -> None:
    sent = submission(told, None)
    assert [error.message for error in VALID.iter_errors(sent)] == []


def test_what_is_sealed_or_names_somebody_is_not_in_it() -> None:
    (told,) = issued(*case_history(*CONFIRMED))
    sent = submission(told, "FAKE_TRANSACTION")
    text = str(sent)
    assert told.facts not in text
    assert told.recipient_id not in text.replace(told.sor_id, "")
    assert sent["decision_facts"] == told.explanation


def test_the_category_follows_from_the_rule() -> None:
    (told,) = issued(*case_history(*CONFIRMED))
    assert submission(told, "COUNTERFEIT")["category"].endswith(
        "INTELLECTUAL_PROPERTY_INFRINGEMENTS"
    )
    assert submission(told, "FAKE_TRANSACTION")["category"].endswith("SCAMS_AND_FRAUD")
    assert submission(told, "EXTORTION")["category"].endswith("OTHER_VIOLATION_TC")
    small = say(penalty("P1", 2, "UNANSWERED_DISPUTE"), now=at())
    (by_rule,) = issued(*history(*OPEN, small))
    assert submission(by_rule, None)["category"].endswith("OTHER_VIOLATION_TC")


def test_a_suspension_says_when_it_ends() -> None:
    (told,) = issued(*history(*SUSPENDED))
    sent = submission(told, None)
    assert sent["decision_account"] == "DECISION_ACCOUNT_SUSPENDED"
    assert sent["end_date_account_restriction"] == f"{at(20):%Y-%m-%d}"
