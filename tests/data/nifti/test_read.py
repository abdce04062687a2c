"""One NIfTI file to pixels, and everything that can be wrong with it."""

import gzip
import os
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lossassay.config.schema import VolumeConfig
from lossassay.data.decode import Decoded, DecodeOptions, Item, NeedsSixteenBits
from lossassay.data.nifti import read as read_module
from lossassay.data.nifti.header import open_inflated, read_header
from lossassay.data.nifti.planes import depth_of, in_planes
from lossassay.data.nifti.read import read_item, read_volume
from tests.data.nifti.conftest import Volume, rewrite_header

RANGE = {"clip": (0.0, 100.0)}


def options(size: int = 32, *, form: str = "volume", channels: int = 1, resize: str = "pad", **volume: Any):
    section = VolumeConfig(form=form, **volume).model_dump(mode="json")  # type: ignore[arg-type]
    dimensions = 3 if form == "volume" else 2
    return DecodeOptions(size, channels, resize, 0, 255, dimensions=dimensions, reading={"volume": section})


def pixels_of(decoded: Decoded, size: int, *, dimensions: int = 3, channels: int = 1) -> npt.NDArray[np.uint16]:
    assert decoded.pixels is not None, decoded
    return np.frombuffer(decoded.pixels, "<u2").reshape((size,) * dimensions + (channels,))


def read(path: Path, wanted: DecodeOptions, frame: int | None = None) -> Decoded:
    return read_item(Item((str(path),), frame), wanted, deep=True)


def test_volumes_are_always_deep(volume: Volume) -> None:
    with pytest.raises(NeedsSixteenBits):
        read_item(Item((str(volume("a.nii")),)), options(), deep=False)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", ">i2", "i4", "f4", "f8", "u8"])
def test_values_are_those_of_nibabel(volume: Volume, name: str, kind: type[Any], dtype: str) -> None:
    values = np.random.default_rng(1).integers(0, 100, (5, 6, 7)).astype(dtype)
    path = volume(name, values, kind=kind)
    got, _, notes = read_volume(str(path))
    np.testing.assert_array_equal(got, nibabel.load(path).get_fdata(dtype=np.float32))
    assert notes == ()


def test_slope_and_intercept(volume: Volume) -> None:
    def change(header: Any) -> None:
        header["scl_slope"], header["scl_inter"] = 0.5, -1024

    path = volume("a.nii", change=change)
    got, _, _ = read_volume(str(path))
    np.testing.assert_allclose(got, nibabel.load(path).get_fdata(), rtol=1e-6)
    assert got.min() < -1024


def test_a_whole_volume_is_stretched_to_sixteen_bits(volume: Volume) -> None:
    values = np.arange(32**3, dtype=np.float32).reshape(32, 32, 32)
    got = pixels_of(read(volume("a.nii", values), options(**RANGE)), 32)
    expected = np.rint(values / values.max() * 65_535)[::-1, ::-1].transpose(2, 1, 0)
    assert np.abs(got[..., 0].astype(int) - expected).max() <= 1


ORIENTATIONS = [
    (perm, flips)
    for perm in [(0, 1, 2), (2, 0, 1), (1, 0, 2), (2, 1, 0)]
    for flips in [(1, 1, 1), (-1, 1, -1), (-1, -1, 1)]
]


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_any_storage_gives_the_same_planes(
    volume: Volume, order: tuple[int, ...], signs: tuple[int, ...], axis: str
) -> None:
    """The same body stored in another order: the planes are the same, and those of nibabel's canonical image."""
    body = np.random.default_rng(3).integers(0, 1000, (4, 5, 6)).astype(np.int16)  # right, front, up
    spacing = np.array([1.0, 2.0, 3.0])
    stored = body.transpose(order)
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for position, (canonical, sign) in enumerate(zip(order, signs, strict=True)):
        affine[canonical, position] = sign * spacing[canonical]
        if sign < 0:
            stored = np.flip(stored, position)
            affine[canonical, 3] += (stored.shape[position] - 1) * spacing[canonical]
    path = volume("a.nii", np.ascontiguousarray(stored), affine=affine)
    canonical_image = nibabel.as_closest_canonical(nibabel.load(path))
    np.testing.assert_array_equal(canonical_image.get_fdata(), body)
    values, header, _ = read_volume(str(path))
    planes, planes_mm = in_planes(values, header, axis)
    expected, expected_mm = {
        "axial": (body[::-1, ::-1, :].transpose(2, 1, 0), (3, 2, 1)),
        "coronal": (body[::-1, ::-1, ::-1].transpose(1, 2, 0), (2, 3, 1)),
        "sagittal": (body[::-1, ::-1, ::-1].transpose(0, 2, 1), (1, 3, 2)),
    }[axis]
    np.testing.assert_array_equal(planes, expected)
    assert planes_mm == pytest.approx(expected_mm)
    assert depth_of(header, axis) == len(planes)


def test_an_axial_plane_shows_right_on_the_left_and_the_front_above(volume: Volume) -> None:
    body = np.zeros((8, 8, 8), np.int16)
    body[7, 7, 3] = 100  # right in this array is +x, front +y
    body[0, 0, 3] = 50
    values, header, _ = read_volume(str(volume("a.nii", body)))
    plane = in_planes(values, header, "axial")[0][3]
    assert plane[0, 0] == 100
    assert plane[7, 7] == 50


def test_slices_are_evenly_spread_and_blank_ones_are_told(volume: Volume) -> None:
    body = np.zeros((32, 32, 12), np.int16)
    for z in range(2, 12):
        body[z, :, z] = 100 * z
    path = volume("a.nii", body)
    wanted = options(form="slices", slices=4, **RANGE)
    got = [read(path, wanted, frame) for frame in range(4)]
    assert [one.problem for one in got] == ["blank slice" if z < 2 else None for z in (1, 4, 7, 10)]
    for one, z in zip(got[1:], (4, 7, 10), strict=True):
        assert pixels_of(one, 32, dimensions=2).max() == pytest.approx(100 * z / 1100 * 65_535, abs=1)


def test_slices_as_channels_are_neighbours(volume: Volume) -> None:
    body = np.zeros((32, 32, 9), np.int16)
    body[:16] = np.arange(1, 10)[None, None, :]
    wanted = options(form="channels", channels=3, **RANGE)
    got = pixels_of(read(volume("a.nii", body), wanted, 0), 32, dimensions=2, channels=3)
    assert np.rint(got.max(axis=(0, 1)) / 65_535 * 9).tolist() == [4, 5, 6]


def test_a_slice_of_a_volume_is_read_once(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    original = read_module.read_volume
    monkeypatch.setattr(read_module, "read_volume", lambda name: opened.append(name) or original(name))
    path, wanted = volume("a.nii", seed=1), options(form="slices")
    for frame in range(10):
        read(path, wanted, frame)
    assert len(opened) == 1
    read(path, wanted, 0)
    assert len(opened) == 2  # after the last slice its memory was given back
    before = read(path, wanted, 1).pixels
    volume("a.nii", seed=2)
    os.utime(path, ns=(0, 0))
    assert read(path, wanted, 1).pixels != before
    read(path, wanted, 9)


def test_millimetres_decide_the_aspect(volume: Volume) -> None:
    body = np.ones((8, 16, 16), np.int16)
    body[0, 0, 0] = 0
    thick = volume("a.nii", body, affine=np.diag([2.0, 1, 1, 1]))
    got = pixels_of(read(thick, options(resize="pad", **RANGE)), 32)
    assert (got[16, 16] > 0).all()  # 16 mm on every side: nothing is padded
    thin = volume("b.nii", body, affine=np.diag([1.0, 1, 1, 1]))
    got = pixels_of(read(thin, options(resize="pad", **RANGE)), 32)
    assert (got[16, 16, :, 0] > 0).sum() == 16


def test_millimetres_decide_the_aspect_of_a_slice(volume: Volume) -> None:
    body = np.ones((8, 16, 4), np.int16)
    body[0, 0] = 0
    wanted = options(form="slices", slices=1, **RANGE)
    square = pixels_of(read(volume("a.nii", body, affine=np.diag([2.0, 1, 1, 1])), wanted, 0), 32, dimensions=2)
    assert (square[16] > 0).all()
    narrow = pixels_of(read(volume("b.nii", body), wanted, 0), 32, dimensions=2)
    assert (narrow[16] > 0).sum() == 16


def test_resampling_to_millimetres(volume: Volume) -> None:
    body = np.random.default_rng(0).integers(0, 1000, (10, 20, 30)).astype(np.int16)
    path = volume("a.nii", body, affine=np.diag([4.0, 2, 1, 1]))
    wanted = options(form="slices", slices=None, spacing_mm=2.0, **RANGE)
    assert read(path, wanted, 29).problem is None  # as many slices as are stored
    values, header, _ = read_volume(str(path))
    planes, spacing = in_planes(values, header, "axial")
    from lossassay.data.volume_steps import prepare_volume

    prepared = prepare_volume(planes[..., None], spacing, wanted.reading["volume"])
    assert prepared.values.shape == (15, 20, 20, 1)
    assert prepared.spacing_mm == (2.0, 2.0, 2.0)


def test_metres_and_microns(volume: Volume) -> None:
    def metres(header: Any) -> None:
        header.set_xyzt_units("meter")

    path = volume("a.nii", affine=np.diag([0.002, 0.002, 0.002, 1]), change=metres)
    with open_inflated(str(path)) as stream:
        assert read_header(stream).spacing_mm == pytest.approx((2, 2, 2))


# -- what can be wrong


def test_a_file_that_changed_after_it_was_listed(volume: Volume) -> None:
    path, wanted = volume("a.nii"), options(form="slices")
    refused(read(path, wanted, 10), "cannot be read", "changed after it was listed")
    refused(read(path, wanted, None), "cannot be read", "changed after it was listed")


def refused(decoded: Decoded, problem: str, detail: str = "") -> None:
    assert decoded.pixels is None
    assert (decoded.problem, detail in decoded.detail) == (problem, True), decoded


def test_not_finite_values_become_the_lowest(volume: Volume) -> None:
    body = np.linspace(5, 6, 12 * 14 * 10, dtype=np.float32).reshape(12, 14, 10)
    body[3, 4, 5], body[6, 6, 6] = np.nan, np.inf
    values, _, notes = read_volume(str(path := volume("a.nii", body)))
    assert values[3, 4, 5] == values[6, 6, 6] == 5
    assert notes == ("not-finite",)
    assert read(path, options()).notes == ("not-finite",)


def test_values_beyond_single_precision_are_not_finite(volume: Volume) -> None:
    body = np.ones((4, 4, 4))
    body[0, 0, 0], body[1, 1, 1] = 1e300, 2
    values, _, notes = read_volume(str(volume("a.nii", body)))
    assert values.max() == 2
    assert notes == ("not-finite",)


def test_nothing_to_see(volume: Volume) -> None:
    refused(read(volume("a.nii", np.full((4, 4, 4), np.nan)), options()), "cannot be read", "no voxel has a finite")
    refused(read(volume("b.nii", np.full((4, 4, 4), 7.0)), options()), "cannot be read", "every voxel has the value 7")
    wanted = options(window=(9000.0, 10.0))
    refused(read(volume("c.nii"), wanted), "cannot be read", "outside the window 8995 to 9005")


def test_several_volumes_in_one_file(volume: Volume) -> None:
    refused(read(volume("a.nii", (4, 4, 4, 120)), options()), "cannot be read", "4-D data with 120 volumes; expected")
    assert read(volume("b.nii", (4, 4, 4, 1)), options()).problem is None
    assert read(volume("c.nii", (4, 4)), options()).problem is None


def test_colours_and_complex_numbers(volume: Volume) -> None:
    colours = np.zeros((4, 4, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    refused(read(volume("a.nii", colours), options()), "cannot be read", "RGB colours")
    refused(read(volume("b.nii", np.ones((4, 4, 4), np.complex64)), options()), "cannot be read", "complex64")

    def unknown(header: Any) -> None:
        header["datatype"] = 999

    refused(read(volume("c.nii", change=unknown), options()), "cannot be read", "unknown type 999")


@pytest.mark.parametrize("spacing", [0.0, np.nan, 1e9])
def test_impossible_voxel_sizes(volume: Volume, spacing: float) -> None:
    def change(header: Any) -> None:
        header["pixdim"][2] = spacing
        header["sform_code"] = header["qform_code"] = 0

    path = volume("a.nii", change=change)
    decoded = read(path, options())
    assert decoded.problem is None
    assert set(decoded.notes) == {"no-orientation", "no-spacing"}
    refused(read(path, options(spacing_mm=2.0)), "cannot be read", "voxel size is not known")


def test_an_affine_that_is_none(volume: Volume) -> None:
    def flat(header: Any) -> None:
        header["qform_code"] = 0
        header["srow_x"] = 0

    assert "no-orientation" in read(volume("a.nii", change=flat), options()).notes

    def quaternion(header: Any) -> None:
        header["sform_code"] = 0
        header["qform_code"] = 1
        header["quatern_b"] = 5

    assert "no-orientation" in read(volume("b.nii", change=quaternion), options()).notes


def test_too_fine_a_resampling_is_refused(volume: Volume) -> None:
    refused(read(volume("a.nii"), options(spacing_mm=0.01)), "cannot be read", "at 0.01 mm it would have")


def test_truncated_files(volume: Volume) -> None:
    for name in ("a.nii", "a.nii.gz"):
        path = volume(name)
        path.write_bytes(path.read_bytes()[:-200])
        refused(read(path, options()), "damaged")
        path.write_bytes(path.read_bytes()[:200])
        assert read(path, options()).problem in ("damaged", "cannot be read")
        path.write_bytes(b"")
        refused(read(path, options()), "cannot be read", "0 bytes")
    refused(read(Path("nowhere.nii"), options()), "not readable")


def test_a_flipped_bit_in_a_compressed_file(volume: Volume) -> None:
    path = volume("a.nii.gz")
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # in the sum at the end
    path.write_bytes(content)
    refused(read(path, options()), "damaged")


def test_a_header_that_claims_gigabytes_is_refused_before_reading(volume: Volume) -> None:
    def claims(header: Any) -> None:
        header["dim"][1:4] = 30_000

    refused(read(volume("a.nii", change=claims), options()), "cannot be read", "30000 x 30000 x 30000 voxels")

    def late(header: Any) -> None:
        header["vox_offset"] = 1e12

    refused(read(volume("b.nii", change=late), options()), "cannot be read", "would start at byte 1e+12")


def test_a_bomb_is_inflated_no_further_than_its_header(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    path = volume("a.nii")
    bomb = path.with_name("bomb.nii.gz")
    with gzip.open(bomb, "wb", compresslevel=1) as file:
        file.write(path.read_bytes())
        for _ in range(256):
            file.write(bytes(2**20))
    inflated = []
    original = gzip.GzipFile.read

    def counted(self: gzip.GzipFile, size: int | None = -1) -> bytes:
        inflated.append(len(content := original(self, size)))
        return content

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    refused(read(bomb, options()), "cannot be read", "stand behind the voxels")
    assert 0 < sum(inflated) < 2**22


def test_no_nifti(tmp_path: Path, volume: Volume) -> None:
    path = tmp_path / "a.nii"
    path.write_bytes(os.urandom(4000))
    refused(read(path, options()), "cannot be read", "no NIfTI header")

    def pair(header: Any) -> None:
        header["magic"] = b"ni1"

    refused(read(volume("b.nii", change=pair), options()), "cannot be read", "pair of files")

    def sides(header: Any) -> None:
        header["dim"][1] = -5

    refused(read(volume("c.nii", change=sides), options()), "cannot be read", "sides of [-5, 14, 10]")


@settings(max_examples=150)
@given(edits=st.lists(st.tuples(st.integers(0, 347), st.integers(0, 255)), min_size=1, max_size=12))
@example(edits=[(115, 0)])  # a slope of about 1e-38
def test_no_header_whatever_it_says_raises(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("headers") / "a.nii"
    nibabel.save(nibabel.Nifti1Image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.eye(4)), path)
    content = bytearray(path.read_bytes())
    for position, value in edits:
        content[position] = value
    path.write_bytes(content)
    decoded = read(path, options())
    assert (decoded.pixels is None) == (decoded.problem is not None)


def test_real_files_of_nibabel() -> None:
    folder = Path(nibabel.__file__).parent / "tests" / "data"
    files = sorted(path for path in folder.iterdir() if path.name.endswith((".nii", ".nii.gz")))
    assert len(files) >= 6
    problems = {path.name: read(path, options()) for path in files}
    assert problems["anatomical.nii"].problem is None
    assert "4-D data with" in problems["example4d.nii.gz"].detail
    for path in files:
        decoded = problems[path.name]
        assert (decoded.pixels is None) == (decoded.problem is not None), path.name


def test_rewrite_header_helper_changes_only_what_it_should(volume: Volume) -> None:
    path = volume("a.nii")
    before = path.read_bytes()
    rewrite_header(path, lambda header: None)
    assert path.read_bytes() == before
