"""Secrets that the settings name are masked before anything is written, by the runner too."""

import pytest
from msgspec.structs import replace
from runner_project import Project, until

from flux_engine.secrets import MASK, registered
from flux_tui.runner.pool import RunnerPool


async def test_values_of_redact_env_reach_neither_logs_nor_errors(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither those the dashboard was started with nor those a module sets when it is loaded."""
    monkeypatch.setenv("SHOP_KEY", "key-of-the-shop")
    project.write(
        "shop.py",
        """
        os.environ["SHOP_LATE"] = "set-by-the-module"

        def leak(ctx):
            print(os.environ["SHOP_KEY"], os.environ["SHOP_LATE"])
            raise ValueError(os.environ["SHOP_KEY"] + " " + os.environ["SHOP_LATE"])

        flow = create_workflow("shop").step("leak", leak)
        """,
    )
    config = replace(project.config, redact_env=("SHOP_KEY", "SHOP_LATE", "SHOP_NONE"))
    project.pool = RunnerPool(config, project.events.append)
    try:
        await project.pool.start()
        assert (await project.run_to_end("shop")).status == "failed"
        assert project.log() == [f"{MASK} {MASK}"]
        errors = [event["error"] for event in project.trace() if event.get("error")]
        assert errors
        assert all(error == f"ValueError: {MASK} {MASK}" for error in errors)
        await until(lambda: "set-by-the-module" in registered.values, lambda: str(registered.values))
    finally:
        registered.forget()
