"""Trees of DICOM files to rows."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydicom.data import get_testdata_file, get_testdata_files

from lossassay.config.schema import DataConfig, DicomConfig
from lossassay.data.cache import open_cache
from lossassay.data.dicom.files import has_dicom_name, is_dicom_file
from lossassay.data.manifest import Finding, Manifest
from lossassay.data.scan import scan
from lossassay.errors import DataError
from tests.data.dicom.made import REPORT, SECONDARY, ULTRASOUND_CINE, noise, uid, write

Tree = Callable[..., Path]


def config(path: Path, *, dicom: dict[str, Any] | None = None, **changes: Any) -> DataConfig:
    return DataConfig(**{"path": str(path), "image_size": 32, "dicom": DicomConfig(**(dicom or {}))} | changes)


def finding(manifest: Manifest, code: str) -> Finding:
    found = [one for one in manifest.findings if one.code == code]
    assert len(found) == 1, [one.code for one in manifest.findings]
    return found[0]


def codes(manifest: Manifest) -> set[str]:
    return {one.code for one in manifest.findings}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two classes of four images each, two of each patient, in files without ending."""
    root = tmp_path / "tree"
    for number in range(8):
        write(
            root / ("sick" if number % 2 else "well") / f"IM{number}",
            noise(number),
            PatientID=f"P-{number // 4}{number % 2}",
            StudyInstanceUID=uid("study", number),
            SeriesInstanceUID=uid("series", number),
            SOPInstanceUID=uid("image", number),
            Manufacturer="ACME" if number < 4 else "Other",
            InstitutionName=f"Hospital {number % 2}",
            StudyDate=f"2020010{number + 1}",
        )
    return root


def test_class_folders_of_files_without_ending(tree: Path) -> None:
    manifest = scan(config(tree))
    assert (manifest.kind, manifest.dimensions, manifest.class_names) == ("dicom", 2, ("sick", "well"))
    assert manifest.rows["path"].to_list() == sorted(f"{'sick' if k % 2 else 'well'}/IM{k}" for k in range(8))
    assert manifest.rows["label"].to_list() == [0] * 4 + [1] * 4
    assert manifest.rows["frame"].null_count() == manifest.rows["exam"].null_count() == 8
    assert codes(manifest) == set()


def test_patients_are_keyed_hashes(tree: Path) -> None:
    groups = scan(config(tree)).rows["group"]
    assert groups.n_unique() == 4
    assert groups.str.len_chars().unique().to_list() == [24]
    assert scan(config(tree, group=False)).rows["group"].null_count() == 8
    assert scan(config(tree, group="InstitutionName")).rows["group"].n_unique() == 2
    assert scan(config(tree, group=("InstitutionName", "PatientID"))).rows["group"].n_unique() == 4


def test_sources_of_the_allow_list_are_text_and_others_hashed(tree: Path) -> None:
    assert scan(config(tree, source="Manufacturer")).rows["source"].unique().sort().to_list() == ["ACME", "Other"]
    hidden = scan(config(tree, source="InstitutionName")).rows["source"]
    assert hidden.n_unique() == 2
    assert not hidden.str.contains("Hospital").any()


def test_time_is_a_rank(tree: Path) -> None:
    rows = scan(config(tree, time="StudyDate")).rows.sort("time")
    assert rows["time"].to_list() == list(range(8))
    assert [path[-1] for path in rows["path"]] == list("01234567")


def test_times_since_the_patients_first_image_are_known(tree: Path) -> None:
    manifest = scan(config(tree, time="StudyDate"))
    assert manifest.visits is not None
    assert manifest.visits.since_first.to_list() == [0, 2] * 4
    assert (manifest.visits.unit, manifest.visits.is_coarse) == ("days", False)
    assert scan(config(tree, time="StudyDate", group=False)).visits is None
    assert scan(config(tree, time="Manufacturer")).visits is None  # ranked as text, and no date


def test_exams_by_name(tree: Path) -> None:
    assert scan(config(tree, exam="series")).rows["exam"].n_unique() == 8
    assert scan(config(tree, exam="PatientID")).rows["exam"].n_unique() == 4


def test_unknown_keywords_are_refused_with_the_nearest(tree: Path) -> None:
    with pytest.raises(DataError, match=r"data.group = 'PatientId' is no keyword of DICOM. Did you mean 'PatientID'?"):
        scan(config(tree, group="PatientId"))
    with pytest.raises(DataError, match=r"data.dicom.label_tag = 'BodyPart' is no keyword"):
        scan(config(tree, dicom={"label_tag": "BodyPart"}))
    with pytest.raises(DataError, match=r"data.group_pattern cannot be used with DICOM files"):
        scan(config(tree, group_pattern="(.)"))
    with pytest.raises(DataError, match=r"data.label_separator cannot be used without data.dicom.labels"):
        scan(config(tree, label_separator="|"))


def test_labels_from_a_tag(tree: Path) -> None:
    manifest = scan(config(tree, dicom={"label_tag": "Manufacturer"}))
    assert manifest.class_names == ("ACME", "Other")
    assert manifest.rows["label"].sum() == 4
    write(tree / "well" / "no_maker", noise(99), PatientID="P-9")
    found = finding(scan(config(tree, dicom={"label_tag": "Manufacturer"})), "dicom-unlabelled")
    assert "1 of 9 DICOM images have no value in Manufacturer" in found.message
    with pytest.raises(DataError, match=r"None of the 9 DICOM images has a value in ViewPosition"):
        scan(config(tree, dicom={"label_tag": "ViewPosition"}))


def test_the_order_of_classes_is_the_study_s(tree: Path) -> None:
    manifest = scan(config(tree, order=("well", "sick")))
    assert (manifest.task, manifest.class_names) == ("ordinal", ("well", "sick"))


def test_official_parts_above_the_classes(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        for name in ("a", "b"):
            write(tmp_path / "tree" / part / name / "x.dcm", noise(1), PatientID=part)
    rows = scan(config(tmp_path / "tree")).rows
    assert rows["part"].to_list() == ["test", "test", "train", "train", "validation", "validation"]


def test_nothing_says_the_labels(tmp_path: Path) -> None:
    write(tmp_path / "tree" / "x.dcm", noise(1))
    with pytest.raises(DataError, match=r"1 DICOM images in 0 folders at the top and nothing says their labels. Name"):
        scan(config(tmp_path / "tree"))


@pytest.fixture
def cine(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for number, name in enumerate("abab"):
        write(
            root / name / f"{number}.dcm",
            noise(number, (5, 32, 32), "uint8", 256),
            sop_class=ULTRASOUND_CINE,
            PatientID=f"P{number}",
            SeriesInstanceUID=uid("series", number),
        )
    return root


@pytest.mark.parametrize(("frames", "numbers"), [("all", [0, 1, 2, 3, 4]), ("middle", [2]), (2, [0, 2, 4]), (9, [0])])
def test_frames_of_a_cine(cine: Path, frames: Any, numbers: list[int]) -> None:
    rows = scan(config(cine, dicom={"frames": frames})).rows
    assert rows["frame"].to_list() == numbers * 4
    assert rows["path"].to_list()[: len(numbers)] == [f"a/0.dcm#{number}" for number in numbers]
    assert rows["exam"].n_unique() == rows["group"].n_unique() == 4


def test_frames_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path / "tree" / name / "x.dcm", noise(1, (12, 8, 8), "uint8", 256), SeriesInstanceUID=uid(name))
    assert scan(config(tmp_path / "tree")).rows["frame"].to_list() == [*range(12), *range(12)]


def test_the_cache_holds_every_frame(cine: Path) -> None:
    cache = open_cache(config(cine))
    assert cache.images.shape == (20, 32, 32, 1)
    assert np.array_equal(cache.images[7, ..., 0], noise(2, (5, 32, 32), "uint8", 256)[2])


def test_objects_of_one_series_with_two_labels_are_exams_of_their_own(tmp_path: Path) -> None:
    for number, name in enumerate("ab"):
        write(tmp_path / "tree" / name / "x", noise(number, (2, 8, 8), "uint8", 256), SeriesInstanceUID=uid("same"))
    assert scan(config(tmp_path / "tree")).rows["exam"].n_unique() == 2


def test_what_is_no_image_of_the_study_is_left_out_and_counted(tree: Path) -> None:
    write(tree / "well" / "capture", noise(1), sop_class=SECONDARY)
    write(tree / "well" / "report1", None, sop_class=REPORT)
    write(tree / "well" / "report2", None, sop_class=REPORT)
    write(tree / "well" / "state", None, sop_class="1.2.840.10008.5.1.4.1.1.11.1")
    write(tree / "well" / "scout", noise(1), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write(tree / "well" / "empty", None)
    (tree / "notes.txt").write_text("x")
    manifest = scan(config(tree))
    assert len(manifest.rows) == 8
    assert finding(manifest, "dicom-left-out").message == (
        "6 DICOM objects are no images of the study and are left out: 1 localisers, 1 objects without pixel data, "
        "1 presentation states, 1 secondary captures, 2 structured reports."
    )
    assert finding(manifest, "ignored-files").message.startswith("1 files in the tree are no DICOM")


def test_a_tree_of_nothing_but_secondary_captures_is_taken(tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path / "tree" / name / "x", noise(1), sop_class=SECONDARY)
    manifest = scan(config(tmp_path / "tree"))
    assert len(manifest.rows) == 2
    assert "All 2 DICOM images are secondary captures" in finding(manifest, "dicom-secondary-only").message


def test_burned_in_annotations_and_windows_that_mean_nothing(tree: Path) -> None:
    write(tree / "well" / "burned", noise(1), BurnedInAnnotation="YES", PatientID="P-1")
    write(tree / "well" / "clean", noise(1), BurnedInAnnotation="NO", PatientID="P-1")
    write(tree / "well" / "narrow", noise(1), WindowCenter=40, WindowWidth=0, PatientID="P-1")
    manifest = scan(config(tree))
    burned = finding(manifest, "burned-in")
    assert (burned.severity, burned.paths) == ("issue", ("well/burned",))
    assert burned.message.startswith("1 of 11 DICOM images")
    assert finding(manifest, "window-unusable").paths == ("well/narrow",)
    assert "window-unusable" not in codes(scan(config(tree, dicom={"window": (40.0, 400.0)})))


@pytest.mark.parametrize("placeholder", ["", "ANONYMOUS", "Anonymized", "0", "000000", "unknown"])
def test_placeholders_are_no_patient(tree: Path, placeholder: str) -> None:
    for number in range(3):
        write(tree / "well" / f"x{number}", noise(number), PatientID=placeholder, StudyInstanceUID=uid(number // 2))
    manifest = scan(config(tree))
    found = finding(manifest, "patients-unknown")
    assert found.message.startswith("3 of 11 DICOM images have no patient identifier")
    assert manifest.rows["group"].n_unique() == 4 + 2, "images of one study stay together"


def test_nothing_depends_on_the_order_of_files(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = scan(config(tree)).rows
    scandir = os.scandir

    class Backwards:
        def __init__(self, folder: str) -> None:
            self.entries = list(scandir(folder))[::-1]

        def __enter__(self) -> list[Any]:
            return self.entries

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(os, "scandir", Backwards)
    assert scan(config(tree)).rows.equals(first)


def test_workers_and_keys_change_no_bit(cine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = open_cache(config(cine), workers=0, cache_folder=tmp_path / "one")
    monkeypatch.setenv("LOSSASSAY_CONFIG", str(tmp_path / "other key"))
    several = open_cache(config(cine), workers=2, cache_folder=tmp_path / "two")
    assert np.array_equal(alone.images, several.images)
    assert alone.digest == several.digest
    assert alone.manifest.rows["group"][0] != several.manifest.rows["group"][0]


def test_names_with_spaces_hangul_quotes_and_newlines(tmp_path: Path) -> None:
    names = ["a b.dcm", "환자.dcm", 'it\'s "x".dcm', "caf\u0065\u0301.dcm"]
    names += [] if sys.platform == "win32" else ["line\nbreak.dcm"]
    for number, name in enumerate(names):
        for folder in "ab":
            write(tmp_path / "tree" / folder / name, noise(number), PatientID=f"{folder}{number}")
    cache = open_cache(config(tmp_path / "tree"))
    assert len(cache.manifest.rows) == 2 * len(names)
    assert "a/caf\u00e9.dcm" in cache.manifest.rows["path"].to_list()


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_loop_of_links(tree: Path) -> None:
    (tree / "well" / "up").symlink_to(tree, target_is_directory=True)
    (tree / "sick" / "across").symlink_to(tree / "well", target_is_directory=True)
    (tree / "well" / "self").symlink_to(tree / "well" / "self")
    manifest = scan(config(tree))
    assert len(manifest.rows) == 8 + 4, "the link to another folder is followed once"


def test_a_dicomdir_beside_its_files(tmp_path: Path) -> None:
    import shutil

    folder = Path(get_testdata_file("dicomdirtests/DICOMDIR")).parent
    shutil.copytree(folder, tmp_path / "disc")
    manifest = scan(config(tmp_path / "disc", dicom={"label_tag": "Modality"}, group=False))
    assert manifest.class_names == ("CR", "CT", "MR")
    assert not any("DICOMDIR" in path for path in manifest.rows["path"])


def test_every_file_of_pydicom_decodes_or_is_named_with_its_reason(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    names = sorted({Path(name) for name in get_testdata_files() if Path(name).is_file()})
    for number, name in enumerate(names):
        os.symlink(name, root / f"{number:03d}_{name.name}")
    cache = open_cache(config(root, dicom={"label_tag": "SOPClassUID"}, group=False), workers=0)
    used = {path.split("#")[0] for path in cache.manifest.rows["path"]}
    reasons = [one for one in cache.manifest.findings if one.paths]
    named = {path.split("#")[0] for one in reasons for path in one.paths}
    directories = {path.name for path in root.iterdir() if path.name[4:].startswith("DICOMDIR")}
    missing = {path.name for path in root.iterdir()} - used - named - directories
    assert missing == set()
    assert len(used) > 40
    assert {one.code for one in reasons} >= {"dicom-left-out", "unreadable-image", "ignored-files"}


def test_what_counts_as_dicom(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("nothing of the kind, but long enough to be looked at")
    (tmp_path / "png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    assert not is_dicom_file(tmp_path / "text")
    assert not is_dicom_file(tmp_path / "png")
    assert not is_dicom_file(tmp_path / "absent")
    assert is_dicom_file(get_testdata_file("CT_small.dcm"))
    assert is_dicom_file(get_testdata_file("ExplVR_LitEndNoMeta.dcm"))
    assert has_dicom_name("A/B.DCM")
    assert not has_dicom_name("A/B.png")


def test_plain_images_with_a_stray_dicom_file_stay_plain(tmp_path: Path) -> None:
    from PIL import Image

    for name in "ab":
        (tmp_path / "tree" / name).mkdir(parents=True)
        for number in range(2):
            Image.fromarray(noise(number, kind="uint8", high=256)).save(tmp_path / "tree" / name / f"{number}.png")
    write(tmp_path / "tree" / "a" / "x.dcm", noise(1))
    assert scan(config(tmp_path / "tree")).kind == "files"


def test_a_table_of_dicom_paths(cine: Path) -> None:
    rows = [{"path": f"{'ab'[k % 2]}/{k}.dcm", "label": "xy"[k % 2]} for k in range(4)]
    pl.DataFrame(rows).write_csv(cine / "table.csv")
    manifest = scan(config(cine / "table.csv", dicom={"frames": 2}))
    assert (manifest.kind, manifest.class_names) == ("dicom", ("x", "y"))
    assert manifest.rows["path"].to_list()[:3] == ["a/0.dcm#0", "a/0.dcm#2", "a/0.dcm#4"]
    assert manifest.rows["group"].n_unique() == manifest.rows["exam"].n_unique() == 4
    assert open_cache(config(cine / "table.csv", dicom={"frames": 2})).images.shape == (12, 32, 32, 1)
    with pytest.raises(DataError, match=r"data.dicom.unit = 'volume' cannot be used with a table of paths"):
        scan(config(cine / "table.csv", dicom={"unit": "volume"}))


def test_a_table_of_mixed_files(cine: Path) -> None:
    from PIL import Image

    Image.fromarray(noise(1, kind="uint8", high=256)).save(cine / "x.png")
    pl.DataFrame({"path": ["a/0.dcm", "x.png"], "label": ["x", "y"]}).write_csv(cine / "table.csv")
    with pytest.raises(DataError, match="names 1 DICOM files and 1 files of other kinds"):
        scan(config(cine / "table.csv"))
