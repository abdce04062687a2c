"""Blank and inverted images are found by row; faint, dark and different ones are left alone."""

import numpy as np

from lossassay.data.audit.blank import blank_findings
from lossassay.data.cache import ImageCache
from tests.data.audit.conftest import Build, noise


def found(cache: ImageCache) -> dict[str, tuple[int, ...]]:
    return {finding.code: finding.rows for finding in blank_findings(cache)}


def discs(number: int = 60) -> np.ndarray:
    """Bright discs on a dark ground, with noise."""
    y, x = np.mgrid[:32, :32] - 15.5
    disc = np.where(np.hypot(x, y) < 10, 180, 40)[None, ..., None]
    return (disc + noise(number) // 8).astype(np.uint8)


def labels(number: int = 60) -> list[int]:
    return [0, 1] * (number // 2)


def test_constant_images_whatever_their_value(build: Build) -> None:
    images = noise(60)
    images[3], images[7] = 0, 200
    images[9] = 100 + images[9] // 200  # two values, one apart
    cache = build(images, labels())
    assert found(cache) == {"blank": (3, 7, 9)}
    finding = next(iter(blank_findings(cache)))
    assert finding.severity == "issue"
    assert finding.message == "3 of 60 images are blank: their pixels are all but equal."
    assert finding.paths == ("00003", "00007", "00009")


def test_a_small_mark_is_not_nothing(build: Build) -> None:
    images = noise(60)
    images[3] = 0
    images[3, 4:8, 4:8] = 60
    assert not found(build(images, labels()))


def test_twelve_bits_in_sixteen_are_not_blank(build: Build) -> None:
    dark = noise(60).astype("<u2")  # up to 255 of 65,535: a spread of a thousandth of what the type holds
    assert not found(build(dark, labels()))
    dark[5] = 100
    assert found(build(dark, labels())) == {"blank": (5,)}


def test_blank_slices_are_a_note(build: Build) -> None:
    images = noise(60)
    images[0] = 0
    finding = next(iter(blank_findings(build(images, labels(), frames=list(range(60))))))
    assert (finding.code, finding.severity) == ("blank", "note")


def test_inverted_images(build: Build) -> None:
    images = discs()
    images[[4, 11]] = 255 - images[[4, 11]]
    assert found(build(images, labels())) == {"inverted": (4, 11)}


def test_images_that_differ_from_each_other_are_not_inverted(build: Build) -> None:
    half = discs()
    half[::2] = 255 - half[::2]
    assert not found(build(half, labels()))
    assert not found(build(noise(60), labels()))


def test_too_few_images_say_nothing(build: Build) -> None:
    images = discs(18)
    images[0] = 255 - images[0]
    assert not found(build(images, labels(18)))


def test_a_blank_image_is_not_inverted_too(build: Build) -> None:
    images = discs()
    images[0] = 255
    assert found(build(images, labels())) == {"blank": (0,)}
