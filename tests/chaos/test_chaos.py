"""A monkey among the processes, for some seconds; ``run_chaos.py`` lets it rage for minutes."""

import importlib

import pytest

SECONDS = 5.0


@pytest.mark.parametrize(("where", "seed"), [("postgres", 11), ("restate", 12)])
def test_what_a_monkey_breaks_loses_and_repeats_nothing(where, seed, tmp_path):
    """Every run ends as it should, no step begins after its end, and store, traces and diary agree.

    On PostgreSQL each commit has written one row of its own.
    """
    campaign = importlib.import_module(f"chaos_{where}").Campaign(tmp_path, seed)
    verdict = campaign.run(SECONDS)
    told = "\n".join([*campaign.monkey.diary, *verdict.violations])
    assert not verdict.violations, told
    assert verdict.counts["begins"] > 50, told
    assert campaign.monkey.counts.total() > 3, told
