"""The data that a step of a paused run finds, to edit before the run goes on."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from flux_tui.screens.dialog import Keys
from flux_tui.screens.edit_data import EditDataScreen


class EditStopScreen(EditDataScreen):
    """Edits what the next step finds; ``stepping`` says whether the run shall stop again behind that step."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "step", "Next step", id="edit.step", show=False, priority=True),
    ]
    TITLE_KEYS: ClassVar[Keys] = (
        ("ctrl+s", "go on with this"),
        ("ctrl+n", "next step with this"),
        ("ctrl+e", "editor"),
        ("esc", "cancel"),
    )
    stepping = False

    def action_submit(self) -> None:
        """Close with the changes, to go on with them."""
        self.stepping = False
        super().action_submit()

    def action_step(self) -> None:
        """Close with the changes, to run one step with them."""
        self.stepping = True
        super().action_submit()
