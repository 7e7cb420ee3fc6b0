"""What a spare does before it is needed, so that loading the user's modules costs only those."""

import gc
import importlib
from typing import Any

from pydantic import BaseModel

from flux_engine import Context, create_workflow

COMMON = ("collections.abc", "dataclasses", "datetime", "decimal", "enum", "json", "random", "re", "uuid")


class _Input(BaseModel):
    name: str = ""
    amounts: list[float] = []


def warm_up() -> None:
    """Import what most workflows import, and describe a workflow once: pydantic does much the first time."""
    for name in COMMON:
        importlib.import_module(name)

    def step(ctx: Context[Any, Any]) -> None:
        """Do nothing."""

    create_workflow("warm").input(_Input).step("step", step).describe()
    gc.collect()
    gc.freeze()
