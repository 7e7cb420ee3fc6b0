"""Cutting a stream of text into lines, within bounds that no handler can break."""

from msgspec import Struct

LONGEST = 8_192
MAX_LINES = 20_000
MAX_CHARACTERS = 1_000_000


class LineCutter:
    """Gathers text until its line ends.

    Of a line longer than ``longest`` characters the rest is counted. A carriage return starts its line
    again, as on a terminal, so of a progress bar only its last state remains.
    """

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._parts: list[str] = []
        self._length = 0
        self._over = 0

    def feed(self, text: str) -> list[str]:
        """Add text; return the lines that it completes."""
        *ended, rest = text.split("\n")
        lines = []
        for part in ended:
            self._append(part)
            lines.append(self._finish())
        self._append(rest)
        return lines

    @property
    def has_rest(self) -> bool:
        """Whether there is a line that has not ended."""
        return bool(self._parts)

    def rest(self) -> str | None:
        """Take the line that has not ended, if there is one."""
        return self._finish() if self._parts else None

    def _append(self, part: str) -> None:
        if not part:
            return
        restart = part.rstrip("\r").rfind("\r")
        if restart >= 0 or (self._parts and self._parts[-1].endswith("\r")):
            self._clear()
            part = part[restart + 1 :]
        room = max(0, self._longest - self._length)
        if room:
            self._parts.append(part[:room])
        self._length += min(room, len(part))
        self._over += max(0, len(part) - room)

    def _finish(self) -> str:
        line = "".join(self._parts).rstrip("\r")
        if self._over:
            line = f"{line}… (+{self._over:,} characters)"
        self._clear()
        return line

    def _clear(self) -> None:
        self._parts.clear()
        self._length = self._over = 0


class Cutters:
    """A cutter for each stream of each writer: threads that write at once must not mix their lines."""

    def __init__(self) -> None:
        self._cutters: dict[tuple[str, int], LineCutter] = {}

    def feed(self, stream: str, writer: int, text: str) -> list[str]:
        """Add what a writer has written to a stream; return the lines that it completes."""
        cutter = self._cutters.pop((stream, writer), None) or LineCutter()
        lines = cutter.feed(text)
        if cutter.has_rest:
            self._cutters[stream, writer] = cutter
        return lines

    def rests(self) -> list[tuple[str, str]]:
        """Take the lines that have not ended, each with its stream."""
        found = [(stream, cutter.rest() or "") for (stream, _), cutter in self._cutters.items()]
        self._cutters.clear()
        return found


class Line(Struct, frozen=True):
    """A line of a step's log, as the trace has it."""

    stream: str
    text: str


class AttemptLog:
    """What one attempt of a step has written, up to ``MAX_LINES`` lines or ``MAX_CHARACTERS``."""

    def __init__(self, max_lines: int = MAX_LINES, max_characters: int = MAX_CHARACTERS) -> None:
        self._cutters = Cutters()
        self._lines_left = max_lines
        self._characters_left = max_characters
        self._dropped_lines = 0
        self._dropped_characters = 0
        self.ended = False

    def feed(self, stream: str, writer: int, text: str) -> list[Line]:
        """Add what a writer has written to a stream; return the lines to show.

        After the end of the attempt no line stays unfinished.
        """
        if self._dropped_lines:  # a flood: only counted from here on
            self._dropped_lines += text.count("\n")
            self._dropped_characters += len(text)
            return []
        lines = self._cutters.feed(stream, writer, text)
        if self.ended:
            lines += [rest for _, rest in self._cutters.rests()]
        return self._within_bounds(stream, lines)

    def end(self) -> list[Line]:
        """Return what was left unfinished, and a line that says how much went beyond the bounds."""
        self.ended = True
        lines = []
        for stream, rest in self._cutters.rests():
            lines += self._within_bounds(stream, [rest])
        if self._dropped_lines:
            text = f"… {self._dropped_lines:,} lines ({self._dropped_characters:,} characters) were dropped"
            lines.append(Line("warning", text))
            self._dropped_lines = self._dropped_characters = 0
        return lines

    def _within_bounds(self, stream: str, texts: list[str]) -> list[Line]:
        kept = []
        for text in texts:
            if self._lines_left > 0 and self._characters_left > 0:
                self._lines_left -= 1
                self._characters_left -= len(text) + 1
                kept.append(Line(stream, text))
                continue
            if not self._dropped_lines and not self.ended:
                kept.append(Line("warning", "… more than a log keeps: the output from here on is dropped"))
            self._dropped_lines += 1
            self._dropped_characters += len(text) + 1
        return kept


class Throttle:
    """Lets through ``per_second`` characters a second, and counts the rest."""

    def __init__(self, per_second: int = 65_536) -> None:
        self._per_second = per_second
        self._second = 0
        self._left = per_second
        self._dropped = 0

    def let(self, text: str, now: float) -> str:
        """Return the text, or nothing, with a line before it that tells what was dropped meanwhile."""
        if int(now) != self._second:
            self._second = int(now)
            self._left = self._per_second
        if self._left <= 0:
            self._dropped += len(text)
            return ""
        self._left -= len(text)
        if self._dropped:
            text = f"… {self._dropped:,} characters were dropped\n{text}"
            self._dropped = 0
        return text
