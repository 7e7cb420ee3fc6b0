"""The styles of text inside rows, by what the text means. Each follows the theme."""

from typing import Final

MUTED: Final = "$text-muted"
FAINT: Final = "$text-disabled"
KEY: Final = "$text-primary"
TEXT: Final = "$text-success"
NUMBER: Final = "$text-warning"
CONSTANT: Final = "$text-accent"
GOOD: Final = "$text-success"
CARE: Final = "$text-warning"
BAD: Final = "$text-error"
LINK: Final = "$text-primary"
HEADING: Final = "bold"
