"""What is shown where there is nothing yet: how to write a first workflow."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

FIRST_WORKFLOW = """\
from pydantic import BaseModel
from flux_engine import create_workflow

class Greeting(BaseModel):
    name: str = "world"

async def greet(ctx):
    print("Hello,", ctx.input.name)

hello = create_workflow("hello").input(Greeting).step("greet", greet)
"""


class Welcome(VerticalScroll):
    """The first workflow, ready to be copied."""

    DEFAULT_CSS = """
    Welcome { background: $surface; padding: 1 2; }
    .-low Welcome { padding: 0 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k", "scroll_up", "Up", show=False),
        Binding("j", "scroll_down", "Down", show=False),
        Binding("ctrl+u,ctrl+b", "page_up", "Page up", show=False),
        Binding("ctrl+d,ctrl+f", "page_down", "Page down", show=False),
        Binding("g", "scroll_home", "First", show=False),
        Binding("G", "scroll_end", "Last", show=False),
    ]
    copy_text: ClassVar[str] = FIRST_WORKFLOW

    def __init__(self, folder: str, *, id: str) -> None:  # noqa: A002
        super().__init__(Static(welcome_content(folder), markup=False), id=id)


def welcome_content(folder: str) -> Content:
    """Return what a newcomer reads; ``folder`` is where the file goes."""
    return Content("\n").join(
        [
            Content.styled("There are no workflows here yet.", "bold"),
            Content(f"Save this as hello.py in {folder}; it appears by itself:"),
            Content(""),
            *(Content.styled(f"    {line}", "$text-primary") for line in FIRST_WORKFLOW.rstrip().split("\n")),
            Content(""),
            Content("Then press r to run it. y copies these lines, ? shows every key."),
        ]
    )
