"""What a view posts to have the screen show the run as it stood at another time."""

from textual.message import Message


class MomentAsked(Message):
    """The moment after the event at ``place`` among the events of the run, else the one at ``time``."""

    def __init__(self, *, time: float = 0.0, place: int | None = None) -> None:
        super().__init__()
        self.time = time
        self.place = place
