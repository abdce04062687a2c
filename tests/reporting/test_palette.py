"""Colours: resolved for files, distinct for arms, strong enough to read."""

import re

import pytest

from lossassay.reporting import palette


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_text_and_marks_have_the_contrast_that_wcag_asks_for(dark: bool) -> None:
    colours = dict(re.findall(r"--([a-z]+):(#[0-9a-f]{6});", palette.style_variables(dark=dark)))
    for name in ("ink", "muted", "accent"):
        assert contrast(colours[name], colours["paper"]) >= 4.5, name
    for name in ("blue", "vermillion", "green", "purple", "orange", "sky", "grey"):
        assert contrast(colours[name], colours["paper"]) >= 2.8, name


def test_light_and_dark_have_the_same_roles() -> None:
    roles = [re.findall(r"--([a-z]+):", palette.style_variables(dark=dark)) for dark in (False, True)]
    assert roles[0] == roles[1]


def test_35_arms_look_different_and_10_differ_in_more_than_colour() -> None:
    looks = list(zip(palette.arm_colours(35), map(tuple, palette.arm_dashes(35)), strict=True))
    assert len(set(looks)) == 35
    assert len(set(map(tuple, palette.arm_dashes(5)))) == 5


def test_roles_become_colours_in_attributes_and_stay_in_texts() -> None:
    svg = f'<text fill="{palette.role("ink")}">fill=&quot;var(--ink)&quot; var(--ink)</text>'
    assert palette.resolved(svg) == '<text fill="#15181c">fill=&quot;var(--ink)&quot; var(--ink)</text>'


def test_an_unknown_role_is_an_error() -> None:
    with pytest.raises(KeyError, match="no colour has the role 'pink'"):
        palette.role("pink")
