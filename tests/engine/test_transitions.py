"""Which status may follow which."""

import pytest

from flux_engine import InvalidTransitionError, RunStatus, StepStatus
from flux_engine.transitions import RUN_TRANSITIONS, STEP_TRANSITIONS, transition


@pytest.mark.parametrize(("kind", "table"), [(RunStatus, RUN_TRANSITIONS), (StepStatus, STEP_TRANSITIONS)])
def test_every_pair_is_decided(kind, table):
    """A pair is allowed or refused with a message that names both and the alternatives."""
    assert set(table) == set(kind)
    for now in kind:
        for to in kind:
            if to in table[now]:
                assert transition(now, to) is to
            else:
                with pytest.raises(InvalidTransitionError, match=f"is {now} cannot become {to}"):
                    transition(now, to)


def test_nothing_begins_again_as_pending_or_ends_twice():
    """An ended run can only be sent back to running."""
    for now in RunStatus:
        assert RunStatus.PENDING not in RUN_TRANSITIONS[now]
        if now.ended:
            assert RUN_TRANSITIONS[now] == {RunStatus.RUNNING}


def test_statuses_are_their_lower_case_strings():
    """In comparisons, in text and in JSON."""
    assert RunStatus.FAILED == "failed"
    assert f"{StepStatus.SKIPPED}" == "skipped"
