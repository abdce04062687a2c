"""Colours by role, once. Charts name the role; the page resolves it for light, dark and paper, files for light.

Data colours follow Okabe and Ito 2008 (told apart with any colour vision), a little darker on white and a little
lighter on black for contrast. No meaning hangs on colour alone: arms also differ in dash, or stand in rows and panels
of their own.
"""

import re

_ON_WHITE = {
    "paper": "#ffffff",
    "surface": "#f5f6f8",
    "ink": "#15181c",
    "muted": "#59616c",
    "line": "#d5dae0",
    "grid": "#e9ecf0",
    "accent": "#0068a5",
    "tint": "#e8f1f8",
    "blue": "#0072b2",
    "vermillion": "#d55e00",
    "green": "#008a65",
    "purple": "#b8578c",
    "orange": "#c98700",
    "sky": "#3a9fd8",
    "grey": "#7b8490",
}
_ON_BLACK = {
    "paper": "#14171b",
    "surface": "#1c2026",
    "ink": "#e8eaed",
    "muted": "#a2abb6",
    "line": "#363d47",
    "grid": "#272d35",
    "accent": "#6db8ea",
    "tint": "#182a37",
    "blue": "#4ba3dc",
    "vermillion": "#f08a45",
    "green": "#2fbf93",
    "purple": "#dd93bb",
    "orange": "#e8ad33",
    "sky": "#86cdf5",
    "grey": "#8b94a0",
}
_ARM_COLOURS = ("blue", "vermillion", "green", "purple", "orange", "sky", "ink")
_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4])


def role(name: str) -> str:
    """Return a colour by its role, for a chart.

    Raises:
        KeyError: If there is no such role.
    """
    if name not in _ON_WHITE:
        raise KeyError(f"no colour has the role {name!r}; roles: {', '.join(_ON_WHITE)}")
    return f"var(--{name})"


def style_variables(*, dark: bool = False) -> str:
    """Return the declarations of every role for a style sheet."""
    return "".join(f"--{name}:{colour};" for name, colour in (_ON_BLACK if dark else _ON_WHITE).items())


def resolved(svg: str) -> str:
    """Put colours for white paper in the place of roles; only in attributes, so that texts stay as they are."""
    return re.sub(r'="var\(--([a-z]+)\)"', lambda found: f'="{_ON_WHITE[found[1]]}"', svg)


def arm_colours(number: int) -> list[str]:
    """Return a colour for each of so many arms. Lengths of the cycles differ, so 35 arms look different."""
    return [role(_ARM_COLOURS[index % len(_ARM_COLOURS)]) for index in range(number)]


def arm_dashes(number: int) -> list[list[int]]:
    """Return a line dash for each of so many arms."""
    return [_DASHES[index % len(_DASHES)] for index in range(number)]
