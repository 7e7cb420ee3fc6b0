"""``flux runs compare``: what the comparison of the dashboard says, in the shell."""

from forked_flux import flux

PARCEL = """
from flux_engine import create_workflow

def weigh(ctx):
    ctx.data.weight = ctx.input["weight"]
    if ctx.data.weight > 30:
        raise ValueError("too heavy")

parcel = create_workflow("parcel").step("weigh", weigh, retries=0).step("send", lambda ctx: None)
"""


def test_a_run_is_compared_with_the_last_that_completed(tmp_path):
    """Or with the one that is named; without any it says what to do."""
    (tmp_path / "parcel.py").write_text(PARCEL, encoding="utf-8")

    def run(run_id, weight):
        flux(tmp_path, "run", "parcel.py:parcel", "--run-id", run_id, "--input", f'{{"weight": {weight}}}')

    run("heavy", 40)
    alone = flux(tmp_path, "runs", "compare", "heavy")
    assert alone.returncode != 0
    assert "no other run of 'parcel' has completed" in alone.stderr
    run("light", 4)
    told = flux(tmp_path, "runs", "compare", "heavy")
    assert told.returncode == 0
    assert "input weight: 4 -> 40" in told.stdout
    assert 'error message: absent -> "too heavy"' in told.stdout
    assert flux(tmp_path, "runs", "compare", "hea", "lig").stdout == told.stdout
