"""Files that lie, are cut short or would burst: a finding each, and no crash."""

import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from lossassay.data.cache import open_cache
from lossassay.data.decode import Item
from lossassay.data.dicom import inflate
from lossassay.data.dicom.headers import read_header
from lossassay.data.dicom.read import read_item
from lossassay.data.dicom.reasons import UnreadableDicom
from lossassay.data.scan import scan
from tests.data.dicom.made import made, noise, save, write
from tests.data.dicom.test_read import options
from tests.data.dicom.test_scan import config, finding


def problem(path: Path | str) -> tuple[str | None, str]:
    one = read_item(Item((str(path),)), options(), deep=True)
    assert one.pixels is None
    return one.problem, one.detail


def refused(path: Path) -> str:
    with pytest.raises(UnreadableDicom) as error:
        read_header(str(path), path.name)
    return error.value.detail or error.value.problem


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """Two readable images in two classes."""
    for name in "ab":
        write(tmp_path / "tree" / name / "good.dcm", noise(1), PatientID=name)
    return tmp_path / "tree"


def test_without_pixel_data(tmp_path: Path) -> None:
    assert problem(write(tmp_path / "x", None)) == ("cannot be read", "DICOM without pixel data")
    assert problem(write(tmp_path / "y", noise(1), PixelData=None)) == ("cannot be read", "DICOM without pixel data")


def test_truncated_pixel_data(tmp_path: Path) -> None:
    path = write(tmp_path / "x", noise(1))
    path.write_bytes(path.read_bytes()[:-500])
    assert problem(path) == ("cannot be read", "DICOM with fewer bytes of pixels than its header says")
    assert refused(path) == "DICOM with fewer bytes of pixels than its header says"


def test_a_length_that_lies(tmp_path: Path) -> None:
    path = write(tmp_path / "x", noise(1))
    content = path.read_bytes()
    place = content.rindex(struct.pack("<HH", 0x7FE0, 0x0010)) + 8
    path.write_bytes(content[:place] + struct.pack("<I", 10) + content[place + 4 :])
    assert problem(path)[0] == "cannot be read"
    path.write_bytes(content[:place] + struct.pack("<I", 0x7FFFFFF0) + content[place + 4 :])
    one = read_item(Item((str(path),)), options(), deep=True)
    assert one.problem in (None, "cannot be read"), "what is there may be enough"


def test_more_frames_than_bytes(good: Path) -> None:
    write(good / "a" / "many.dcm", noise(1, (2, 16, 16), "uint8", 255), NumberOfFrames=1_000_000_000)
    packed = made(noise(1, (2, 16, 16), "uint8", 255))
    packed.compress(RLELossless)
    packed.NumberOfFrames = 2_000_000_000
    save(packed, good / "a" / "packed.dcm")
    manifest = scan(config(good))
    assert len(manifest.rows) == 2
    details = {one.message for one in manifest.findings if one.code == "unreadable-image"}
    assert details == {
        "1 of 4 DICOM files cannot be read (DICOM with fewer bytes of pixels than its header says); they are left out.",
        "1 of 4 DICOM files cannot be read (DICOM that claims more frames than its bytes can hold); they are left out.",
    }


def test_gigantic_sides_are_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    packed = made(noise(1, (16, 16), "uint8", 255))
    packed.compress(RLELossless)
    packed.Rows = packed.Columns = 60_000
    path = save(packed, tmp_path / "x")
    assert problem(path)[0] == "too large"
    assert refused(path) == "too large"


def test_run_lengths_that_lie(tmp_path: Path) -> None:
    packed = made(noise(1, (16, 16), "uint8", 255), syntax=RLELossless)
    segment = struct.pack("<16I", 1, 64, *[0] * 14) + bytes([129, 7] * 5_000)  # 640,000 pixels for 256
    packed.PixelData = encapsulate([segment])
    packed["PixelData"].VR = "OB"
    packed["PixelData"].is_undefined_length = True
    path = save(packed, tmp_path / "x")
    one = read_item(Item((str(path),)), options(), deep=True)
    assert (one.problem, one.detail) == ("cannot be read", "DICOM whose RLE Lossless data cannot be decoded") or (
        one.pixels is not None and one.size == (16, 16)
    )


def test_a_private_transfer_syntax(tmp_path: Path) -> None:
    path = write(tmp_path / "x", noise(1))
    data_set = pydicom.dcmread(path)
    data_set.file_meta.TransferSyntaxUID = "1.2.3.4.5.6.7.8.9"
    data_set.save_as(tmp_path / "y", implicit_vr=False, little_endian=True)
    one = problem(tmp_path / "y")
    assert one == ("cannot be read", "DICOM with a private or unknown transfer syntax")


def bomb(path: Path, inflated_bytes: int) -> Path:
    """Write a deflated file whose data set goes on in zeros."""
    data_set = made(noise(1, (16, 16), "uint8", 255), syntax=DeflatedExplicitVRLittleEndian)
    save(data_set, path)
    content = path.read_bytes()
    start = 132 + 12 + struct.unpack("<I", content[140:144])[0]
    plain = zlib.decompress(content[start:], -15)
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    path.write_bytes(content[:start] + squeezer.compress(plain + bytes(inflated_bytes)) + squeezer.flush())
    return path


def test_deflated_files_are_read_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflate, "LARGEST_INFLATED_BYTES", 2**21)
    fine = save(made(noise(1, (16, 16), "uint8", 255), syntax=DeflatedExplicitVRLittleEndian), tmp_path / "fine")
    assert read_item(Item((str(fine),)), options(), deep=False).problem is None
    path = bomb(tmp_path / "bomb", 2**22)
    assert path.stat().st_size < 2**14
    inflated: list[int] = []
    monkeypatch.setattr(pydicom.filereader.zlib, "decompress", lambda *_: inflated.append(1))
    assert problem(path) == ("too large", "DICOM that inflates to more than is allowed")
    assert refused(path) == "DICOM that inflates to more than is allowed"
    assert inflated == [], "refused before anything inflates it whole"


def test_a_deflated_file_cut_short(tmp_path: Path) -> None:
    path = save(made(noise(1), syntax=DeflatedExplicitVRLittleEndian), tmp_path / "x")
    path.write_bytes(path.read_bytes()[:-200])
    assert problem(path) == ("cannot be read", "DICOM with a damaged header")


@pytest.mark.parametrize(
    ("tags", "detail"),
    [
        ({"Rows": None}, "DICOM without Rows"),
        ({"BitsAllocated": None, "SamplesPerPixel": None}, "DICOM without SamplesPerPixel, BitsAllocated"),
        ({"Rows": 0}, "DICOM with a value in its header that cannot be understood"),
        ({"BitsAllocated": 13}, "DICOM with a damaged header"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "DICOM with a palette that cannot be used"),
    ],
)
def test_headers_that_contradict_themselves(tmp_path: Path, tags: dict[str, Any], detail: str) -> None:
    assert problem(write(tmp_path / "x", noise(1), **tags)) == ("cannot be read", detail)


def test_a_frame_that_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path / "x", noise(1, (2, 8, 8), "uint8", 255))
    one = read_item(Item((str(path),), 2), options(), deep=False)
    assert (one.problem, one.detail) == ("cannot be read", "DICOM that lacks one of its frames")


def test_files_that_only_are_called_dicom(good: Path) -> None:
    (good / "a" / "text.dcm").write_text("this is no DICOM file, whatever its name says" * 10)
    (good / "a" / "empty.dcm").write_bytes(b"")
    manifest = scan(config(good))
    found = finding(manifest, "unreadable-image")
    assert found.message.startswith("2 of 4 DICOM files cannot be read (called DICOM, but not DICOM inside)")
    assert found.paths == ("a/empty.dcm", "a/text.dcm")


def test_one_damaged_file_stops_nothing(good: Path) -> None:
    packed = made(noise(7, (16, 16), "uint8", 255))
    packed.compress(RLELossless)
    path = save(packed, good / "a" / "damaged.dcm")
    content = bytearray(path.read_bytes())
    place = content.rindex(struct.pack("<HH", 0xFFFE, 0xE000)) + 8
    content[place : place + 64] = b"\xff" * 64
    path.write_bytes(content)
    cache = open_cache(config(good))
    assert len(cache.images) == 2
    found = finding(cache.manifest, "unreadable-image")
    assert found.message.startswith(
        "1 of 3 image files cannot be read (DICOM whose RLE Lossless data cannot be decoded)"
    )
    assert found.paths == ("a/damaged.dcm",)


def test_a_file_that_may_not_be_opened(tmp_path: Path) -> None:
    assert problem(tmp_path / "absent") == ("not readable", "")


class PanicException(BaseException):
    """As decoders in Rust raise it."""


def test_a_panic_of_a_decoder_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pydicom.pixels.decoders.base import Decoder

    def panic(*_: object, **__: object) -> None:
        raise PanicException

    monkeypatch.setattr(Decoder, "as_array", panic)
    path = write(tmp_path / "x", noise(1))
    assert problem(path) == ("cannot be read", "DICOM with a damaged header")

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Decoder, "as_array", interrupt)
    with pytest.raises(KeyboardInterrupt):
        read_item(Item((str(path),)), options(), deep=True)


CONTENT = Path(get_testdata_file("MR_small_RLE.dcm")).read_bytes()


@given(st.lists(st.tuples(st.integers(0, len(CONTENT) - 1), st.integers(0, 255)), max_size=30), st.integers(0, 9_000))
@settings(max_examples=60)
def test_no_change_of_bytes_raises(tmp_path_factory: Any, changes: list[tuple[int, int]], cut: int) -> None:
    content = bytearray(CONTENT)
    for place, value in changes:
        content[place] = value
    path = tmp_path_factory.getbasetemp() / "changed.dcm"
    path.write_bytes(content[: len(content) - cut] if cut < 3_000 else content)
    one = read_item(Item((str(path),)), options(), deep=True)
    assert (one.pixels is None) == (one.problem is not None)
    with suppress(UnreadableDicom):
        assert read_header(str(path), "changed").num_frames < 10_000


def test_nothing_of_a_header_stands_in_a_reason(tmp_path: Path) -> None:
    path = write(tmp_path / "x", noise(1), PatientName="Kim^Minsu", PatientID="MRN4711", BitsAllocated=13)
    assert not any(secret in " ".join(map(str, problem(path))) for secret in ("Kim", "MRN", "13"))


def test_many_more_bytes_than_the_header_says(tmp_path: Path) -> None:
    path = write(tmp_path / "a", noise(1, (40, 40)), Rows=20, Columns=20)
    assert problem(path) == ("cannot be read", "DICOM with twice the bytes of pixels that its header says, or more")
    padded = write(tmp_path / "b", noise(1, (40, 41)), Columns=40)
    assert read_item(Item((str(padded),)), options(), deep=True).problem is None, "some bytes more are usual"
