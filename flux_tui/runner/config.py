"""What a runner is started with."""

import msgspec
from msgspec import Struct
from msgspec.structs import replace


class RunnerConfig(Struct, frozen=True, kw_only=True):
    """The project, where its runs are kept, and the engine's defaults.

    ``paths`` are workflow modules or folders of them. ``root`` is the project folder, the runner's current
    directory. ``redact_env`` names the environment variables whose values are secrets. ``grace`` is how
    long, in seconds, a runner that must end waits for a step boundary.
    """

    root: str
    db: str
    trace: str | None = None
    paths: tuple[str, ...] = ()
    default_retries: int = 0
    default_timeout: float | None = 30.0
    redact_env: tuple[str, ...] = ()
    grace: float = 2.0

    @property
    def told(self) -> str | None:
        """The address of a server, which is told through the pipe: everybody may read a command line."""
        return self.db if "://" in self.db else None

    def encode(self) -> str:
        """Return the configuration as a command line argument, without the address of a server."""
        shown = self if self.told is None else replace(self, db="")
        return msgspec.json.encode(shown).decode()


def decode_config(text: str) -> RunnerConfig:
    """Read the argument. Raises ``msgspec.MsgspecError``."""
    return msgspec.json.decode(text, type=RunnerConfig)
