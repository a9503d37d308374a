"""Ids that are derived are UUIDs of version 5, as everybody makes them."""

from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_runtime.ids import derived_id


@given(st.uuids(), st.text())
def test_a_derived_id_is_the_uuid_of_version_5(cause: UUID, name: str) -> None:
    assert derived_id(str(cause), name) == str(uuid5(cause, name))


@pytest.mark.parametrize("cause", ["", "no uuid", "12" * 15, "12" * 17])
def test_a_cause_is_a_uuid(cause: str) -> None:
    with pytest.raises(ValueError, match=r"UUID|hex"):
        derived_id(cause, "name")
