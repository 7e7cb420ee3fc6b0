"""Opening a file at a line in the user's editor."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

HOW_TO_SET = 'no editor is set: set $EDITOR, or editor = "…" in flux.toml'
NOT_IN_A_BROWSER = "a browser has no terminal that an editor could open in"

_PLUS_LINE = frozenset(
    {"vi", "vim", "nvim", "nano", "emacs", "emacsclient", "micro", "kak", "joe", "ne", "mg"}
)
_COLON_LINE = frozenset({"hx", "helix", "subl", "zed"})
_GOTO = frozenset({"code", "codium", "cursor", "windsurf"})


def editor(setting: str | None, environ: Mapping[str, str] | None = None) -> str | None:
    """Return the command that opens an editor: the setting, else ``$VISUAL``, else ``$EDITOR``."""
    environ = os.environ if environ is None else environ
    return setting or environ.get("VISUAL") or environ.get("EDITOR") or None


def command(editor_command: str, file: str, line: int | None) -> Sequence[str]:
    """Return the command that opens ``file`` at ``line``, in the way the editor at hand wants to hear it."""
    words = shlex.split(editor_command)
    name = Path(words[0]).name if words else ""
    if line is None:
        return [*words, file]
    if name in _PLUS_LINE:
        return [*words, f"+{line}", file]
    if name in _COLON_LINE:
        return [*words, f"{file}:{line}"]
    if name in _GOTO:
        return [*words, "--goto", f"{file}:{line}"]
    return [*words, file]


def edited(editor_command: str, text: str) -> str:
    """Return ``text`` as the user leaves it in the editor. Raises ``OSError`` when that cannot be started."""
    with tempfile.TemporaryDirectory(prefix="flux-") as folder:
        file = Path(folder) / "data.json"
        file.write_text(text, encoding="utf-8")
        subprocess.run(command(editor_command, str(file), None), check=False)  # noqa: S603
        return file.read_text(encoding="utf-8", errors="replace")
