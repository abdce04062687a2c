"""Presets of preprocessing: pure, deterministic, and harmless where there is nothing to find."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lossassay.config.schema import DataConfig
from lossassay.data import preprocess
from lossassay.data.cache import decode_options, open_cache
from lossassay.data.decode import DecodeOptions, decode
from lossassay.data.scan import scan
from lossassay.data.volumes import fit_array
from lossassay.errors import DataError, UnknownNameError

NAMES = tuple(preprocess.PRESETS)


def disc(side: int = 200, *, dtype: type = np.uint8, light: bool = False) -> np.ndarray:
    """A bright disc on the left of a dark image; or the other way round."""
    y, x = np.mgrid[:side, :side]
    inside = (y - side * 0.5) ** 2 + (x - side * 0.3) ** 2 < (side * 0.2) ** 2
    top = np.iinfo(dtype).max
    image = np.where(inside, 0.8, 0.1) * top
    return (top - image if light else image).astype(dtype)[..., None]


def chest(side: int = 300) -> np.ndarray:
    """Air in the upper corners, a body, two dark lungs."""
    image = np.full((side, side), 150.0)
    image[: side // 10] = 5
    y, x = np.mgrid[:side, :side] / side
    for centre in (0.3, 0.7):
        image[((y - 0.5) / 0.25) ** 2 + ((x - centre) / 0.12) ** 2 < 1] = 30
    return image.astype(np.uint8)[..., None]


def noise(seed: int, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


@given(
    names=st.lists(st.sampled_from(NAMES), max_size=3),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.sampled_from((1, 3)),
    dtype=st.sampled_from((np.uint8, np.uint16)),
    seed=st.integers(0, 99),
)
def test_any_image_keeps_its_type_and_channels_and_is_not_touched(
    names: list[str], height: int, width: int, channels: int, dtype: type, seed: int
) -> None:
    image = noise(seed, (height, width, channels), dtype)
    before = image.copy()
    found = preprocess.apply(image, names)
    assert found.dtype == image.dtype
    assert found.ndim == 3
    assert found.shape[2] == channels
    assert found.size
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(found, preprocess.apply(image, names))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, 77, 255])
def test_a_constant_image_stays_as_it_is(name: str, value: int) -> None:
    image = np.full((50, 40, 1), value, dtype=np.uint8)
    np.testing.assert_array_equal(preprocess.apply(image, [name]), image)


def test_percentile_fills_the_range_and_is_done_after_once() -> None:
    image = (noise(1, (80, 90, 1), np.uint16) // 8 + 2000).astype(np.uint16)
    once = preprocess.percentile(image)
    assert (once.min(), once.max()) == (0, 65_535)
    assert (once == 0).mean() == pytest.approx(0.005, abs=0.001)
    assert (once == 65_535).mean() == pytest.approx(0.005, abs=0.001)
    np.testing.assert_array_equal(preprocess.percentile(once), once)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("light", [False, True])
def test_foreground_crop_finds_the_disc(dtype: type, light: bool) -> None:
    found = preprocess.foreground_crop(disc(dtype=dtype, light=light))
    np.testing.assert_allclose(found.shape, (88, 88, 1), atol=2)  # a disc of 80 px and twice its margin of 4 px
    np.testing.assert_array_equal(preprocess.foreground_crop(found).shape, found.shape)


def test_foreground_crop_of_a_large_image_is_that_of_the_small_one_enlarged() -> None:
    small = preprocess.foreground_crop(disc(200)).shape[0] / 200
    large = preprocess.foreground_crop(disc(1999)).shape[0] / 1999
    assert large == pytest.approx(small, abs=0.01)


def test_foreground_crop_works_in_volumes() -> None:
    volume = np.zeros((20, 30, 40, 1), dtype=np.uint8)
    volume[5:15, 10:20, 0:20] = 200
    assert preprocess.apply(volume, ["foreground_crop", "percentile"]).shape == (10, 10, 21, 1)


def test_a_speck_is_no_foreground() -> None:
    image = np.zeros((100, 100, 1), dtype=np.uint8)
    image[50, 50] = 255
    assert preprocess.foreground_crop(image).shape == image.shape


def test_lung_crop_finds_the_lungs() -> None:
    found = preprocess.lung_crop(chest())
    assert found.shape[0] == pytest.approx(0.55 * 300, abs=8)
    assert found.shape[1] == pytest.approx(0.64 * 1.1 * 300, abs=8)
    assert found.min() == 30  # the air above is gone


@pytest.mark.parametrize("lungs", [0, 1])
def test_without_two_lungs_the_image_stays_whole(lungs: int) -> None:
    image = chest()
    image[30:, 150:] = 150
    if not lungs:
        image[30:] = 150
    assert preprocess.lung_crop(image).shape == image.shape


def test_clahe_raises_local_contrast_and_keeps_hue() -> None:
    image = (noise(2, (64, 64, 3), np.uint8) // 16 + 100).astype(np.uint8)
    found = preprocess.clahe(image)
    assert found.std() > 1.5 * image.std()
    inside = (found > 0).all(axis=2) & (found < 255).all(axis=2)
    kept = found[inside].astype(int) - image[inside]
    assert np.ptp(kept, axis=1).max() <= 1  # one shift for all channels, but for rounding


@pytest.mark.parametrize("name", ["clahe", "lung_crop"])
def test_what_is_for_flat_images_is_refused_for_volumes(name: str) -> None:
    with pytest.raises(DataError, match=rf"'{name}', and the images are volumes.*foreground_crop, percentile"):
        preprocess.check([name], dimensions=3)


def test_an_unknown_preset_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'clahe'"):
        preprocess.check(["clahee"], dimensions=2)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(DataError, match=r"pip install \"lossassay\[preprocess\]\""):
        preprocess.check(["clahe"], dimensions=2)
    preprocess.check(["percentile", "foreground_crop", "lung_crop"], dimensions=2)


@pytest.mark.parametrize("form", ["png", "jpeg", "sixteen bits", "colour"])
def test_files_are_preprocessed_at_their_own_size(form: str, tmp_path: Path) -> None:
    image = disc(256, dtype=np.uint16 if form == "sixteen bits" else np.uint8)[..., 0]
    file = tmp_path / ("a.jpg" if form == "jpeg" else "a.png")
    Image.fromarray(np.stack([image] * 3, axis=-1) if form == "colour" else image).save(file)
    options = DecodeOptions(32, 1, "pad", 0, 255, preprocess=("foreground_crop", "percentile"))
    deep = form == "sixteen bits"
    found = decode(file.read_bytes(), options, deep=deep)
    assert found.pixels is not None
    pixels = np.frombuffer(found.pixels, dtype="<u2" if deep else "u1").reshape(32, 32)
    assert pixels[16, 16] > 0.9 * np.iinfo(pixels.dtype).max  # JPEG rings
    assert pixels[16, 4] > 0.9 * pixels[16, 16]  # the disc fills the square
    assert pixels[1, 1] < 0.1 * pixels[16, 16]
    assert found.size == (256, 256)


def test_arrays_are_preprocessed_like_files() -> None:
    options = DecodeOptions(32, 1, "pad", 0, 255, preprocess=("foreground_crop",))
    plain = fit_array(disc(64), options._replace(preprocess=()))
    found = fit_array(disc(64), options)
    assert found.shape == (32, 32, 1)
    assert found.mean() > 2 * plain.mean()
    same_size = fit_array(disc(32), options)
    assert same_size.mean() > 2 * disc(32).mean()


def write_classes(folder: Path) -> Path:
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(noise(number, (40, 40), np.uint8) // 4).save(folder / name / f"{number}{name}.png")
    return folder


def test_presets_are_part_of_the_cache_key_and_nothing_else_is_new(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "images")
    plain = DataConfig(path=str(folder), image_size=32)
    facts = decode_options(plain, scan(plain)).as_facts()
    assert set(facts) == {"image_size", "channels", "resize", "padding", "background"}
    digests, means = [], []
    for names in ((), ("percentile",), ("percentile", "clahe"), ("clahe", "percentile")):
        cache = open_cache(plain.model_copy(update={"preprocess": names}), cache_folder=tmp_path / "cache")
        digests.append(cache.digest)
        means.append(float(cache.images.mean()))
    assert len(set(digests)) == 4
    assert len(set(means)) == 4
    again = open_cache(plain, cache_folder=tmp_path / "cache")
    assert again.digest == digests[0]


def test_workers_change_no_pixel(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "images")
    data = DataConfig(path=str(folder), image_size=32, preprocess=("percentile", "clahe", "foreground_crop"))
    one, two = (open_cache(data, cache_folder=tmp_path / f"cache{n}", workers=n) for n in (0, 2))
    np.testing.assert_array_equal(one.images, two.images)
    assert one.digest == two.digest


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["foreground_crop", "lung_crop"])
def test_crops_of_real_chest_images_keep_enough(shared_data: Path, name: str) -> None:
    files = [path for path in sorted((shared_data / "cxr").rglob("*.*")) if path.suffix in (".jpeg", ".jpg", ".png")]
    kept = []
    for file in files[::100]:
        image = np.asarray(Image.open(file).convert("L"))[..., None]
        found = preprocess.apply(image, [name])
        kept.append(found.size / image.size)
    assert min(kept) >= 0.3, sorted(kept)[:5]
    assert np.mean(np.array(kept) < 1) > 0.2  # it does find something
