"""The audit of a study: run once, kept, and stopping what would be invalid unless that is accepted."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from lossassay import api
from lossassay.config import Study, study_as_toml
from lossassay.config.schema import DataConfig, SplitConfig
from lossassay.data.cache import open_cache
from lossassay.data.manifest import Finding
from lossassay.errors import DataError, StudyFileError
from lossassay.study.auditing import audit as auditing
from lossassay.study.auditing.audit import AuditResult, Part, audit_data
from lossassay.study.auditing.pictures import audit_pictures
from lossassay.study.auditing.store import accepting, as_plain_data, audit_of_study
from lossassay.study.progress import Progress
from tests.study.helpers import small_study, write_images
from tests.study.here import run_here


@pytest.fixture
def conflicting(tmp_path: Path) -> Path:
    """Class folders in which one image stands in two classes."""
    folder = write_images(tmp_path / "images")
    shutil.copy(folder / "left" / "000.png", folder / "right" / "copy.png")
    return folder


def audited(path: Path, **changes: Any) -> AuditResult:
    return audit_data(open_cache(DataConfig(path=str(path), image_size=32, **changes)), SplitConfig())


def quick(path: Path, **changes: Any) -> Study:
    return small_study(path, epochs=1, replicates=1, arms=[{"loss": "cce"}], **changes)


def test_issues_come_first_and_facts_count(conflicting: Path) -> None:
    result = audited(conflicting)
    severities = [finding.severity for finding in result.findings]
    assert severities == sorted(severities)
    assert result.findings[0].code == "duplicate-across-classes"
    assert result.facts["images"] == 61
    assert [(one["name"], one["images"]) for one in result.facts["classes"]] == [
        ("left", 20),
        ("middle", 20),
        ("right", 21),
    ]
    assert result.facts["patients"] is None
    assert any("one patient" in gap["what"] for gap in result.facts["not_looked_at"])
    assert result.counted("issue") + result.counted("note") == len(result.findings)


def test_facts_by_patient_part_and_source(tmp_path: Path) -> None:
    write_images(tmp_path / "images", per_class=6)
    lines = [
        f"{name}/{number:03d}.png,{name},p{number // 2},{'a' if number else 'b'},{'test' if number > 3 else 'train'}"
        for name in ("left", "middle", "right")
        for number in range(6)
    ]
    table = tmp_path / "images" / "table.csv"
    table.write_text("path,label,patient,site,official_split\n" + "\n".join(lines))
    facts = audited(table, group="patient", source="site").facts
    assert facts["patients"] == 3
    assert facts["parts"] == {"train": 12, "validation": 0, "test": 6}
    assert facts["sources"] == {"a": 15, "b": 3}
    first = facts["classes"][0]
    assert (first["patients"], first["parts"], first["sources"]) == (
        3,
        {"train": 4, "validation": 0, "test": 2},
        {"a": 5, "b": 1},
    )
    whats = " ".join(gap["what"] for gap in facts["not_looked_at"])
    assert "patient" not in whats
    assert "parts" not in whats
    assert "p1" not in json.dumps(facts)


def test_many_sources_share_a_column(tmp_path: Path) -> None:
    write_images(tmp_path / "images", per_class=20)
    lines = [f"{name}/{n:03d}.png,{name},s{n % 10}" for name in ("left", "middle") for n in range(20)]
    table = tmp_path / "images" / "table.csv"
    table.write_text("path,label,site\n" + "\n".join(lines))
    sources = audited(table, source="site").facts["sources"]
    assert len(sources) == 6
    assert sources[""] == 40 - 5 * 4


def test_every_part_reports_its_start_and_the_end(conflicting: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    cache = open_cache(DataConfig(path=str(conflicting), image_size=32))
    result = audit_data(cache, SplitConfig(), on_part=lambda *told: seen.append(told))
    number = len(result.facts["looked_at"])
    assert [done for _, done, _ in seen] == list(range(number + 1))
    assert {total for _, _, total in seen} == {number}
    assert [name for name, _, _ in seen[:-1]] == [one["part"] for one in result.facts["looked_at"]]


@dataclass(frozen=True)
class Probe:
    name: str
    score: Any
    low: float
    limits: tuple[float, ...]


@dataclass(frozen=True)
class Shortcuts:
    findings: tuple[Finding, ...]
    probes: tuple[Probe, ...]


def pixel_facts(_cache: object) -> str:
    PASSES.append("pixel facts")
    return "facts"


def find_shortcuts(_cache: object, facts: str) -> Shortcuts:
    found = Finding(code="shortcut-thumbnails", severity="note", message=facts, advice="")
    return Shortcuts((found, found), (Probe("thumbnails", np.float32(0.5), float("nan"), (0.25, 0.75)),))


def blank(_cache: object, facts: str) -> Iterator[Finding]:
    yield Finding(code="blank", severity="note", message=facts, advice="")


PASSES: list[str] = []


def test_probes_become_plain_data_and_pixels_are_passed_once(
    conflicting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = (
        Part("shortcuts", f"{__name__}:find_shortcuts", "shortcuts"),
        Part("blank images", f"{__name__}:blank", "pixel facts"),
    )
    monkeypatch.setattr(auditing, "PARTS", parts)
    monkeypatch.setattr(auditing, "_PIXEL_FACTS", f"{__name__}:pixel_facts")
    PASSES.clear()
    result = audited(conflicting)
    assert PASSES == ["pixel facts"]
    assert result.probes == ({"name": "thumbnails", "score": 0.5, "low": None, "limits": [0.25, 0.75]},)
    assert [(one.code, one.message) for one in result.findings] == [
        ("shortcut-thumbnails", "facts"),  # the same finding counts once
        ("blank", "facts"),
    ]
    json.dumps(as_plain_data(result, names=True), allow_nan=False)


def test_plain_data_name_files_only_where_asked(conflicting: Path) -> None:
    result = audited(conflicting)
    shared = as_plain_data(result, names=False)
    assert set(shared) == {"findings", "probes", "facts"}
    assert set(shared["findings"][0]) == {"code", "severity", "message", "advice", "rows"}
    assert ".png" not in json.dumps(shared)
    assert "right/copy.png" in json.dumps(as_plain_data(result, names=True))


def test_the_same_data_give_the_same_audit_from_the_folder(conflicting: Path, tmp_path: Path) -> None:
    study = quick(conflicting)
    cache = open_cache(study.data)
    seen: list[str] = []

    def on_part(name: str, done: int, total: int) -> None:
        seen.append(name)

    first = audit_of_study(study, cache, tmp_path, on_part=on_part)
    assert seen
    seen.clear()
    assert audit_of_study(study, cache, tmp_path, on_part=on_part) == first
    assert seen == []
    official = study.model_copy(update={"data": study.data.model_copy(update={"split": SplitConfig(test=0.5)})})
    audit_of_study(official, cache, tmp_path, on_part=on_part)
    assert seen, "another split is another question"
    (tmp_path / "audit.json").write_text("{")
    seen.clear()
    audit_of_study(study, cache, tmp_path, on_part=on_part)
    assert seen, "a damaged file is no answer"


def test_a_study_stops_before_its_first_run_and_goes_on_when_told(conflicting: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(DataError, match="duplicate-across-classes") as stopped:
        run_here(quick(conflicting), out)
    text = str(stopped.value)
    assert 'accept = ["duplicate-across-classes"]' in text
    assert "--accept duplicate-across-classes" in text
    assert ".png" not in text
    assert not (out / "runs").exists()
    audits: list[str] = []
    results = run_here(
        quick(conflicting),
        out,
        report=True,
        accept=["duplicate-across-classes"],
        progress=Progress(on_audit=lambda part, done, total: audits.append(part)),
    )
    assert audits == [], "what was found before the stop is used again"
    assert len(results.runs) == 1
    assert results.stored.plan["command"].endswith("--accept duplicate-across-classes")
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "the study was told to go on all the same (duplicate-across-classes)" in page
    assert "accepted: the study was run all the same" in page
    assert api.load_study(out / "study.toml").audit.accept == ("duplicate-across-classes",)


def test_accepting_is_no_part_of_a_run(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images")
    plain = api.plan(quick(images)).plan.runs[0].id
    assert api.plan(quick(images, audit={"accept": ["group-overlap"]})).plan.runs[0].id == plain


def test_shared_patients_stop_a_study_only_with_the_official_split(tmp_path: Path) -> None:
    write_images(tmp_path / "images")
    lines = [
        f"{name}/{n:03d}.png,{name},p{n // 4},{'train' if n < 9 else 'test'}"
        for name in ("left", "middle", "right")
        for n in range(20)
    ]
    table = tmp_path / "images" / "table.csv"
    table.write_text("path,label,patient,official_split\n" + "\n".join(lines))
    data = {"path": str(table), "group": "patient"}
    with pytest.raises(DataError, match=r"group-overlap: 1 of 5 groups"):
        run_here(quick(table, data=data | {"split": "official"}), tmp_path / "official")
    run_here(quick(table, data=data), tmp_path / "drawn", report=True)
    assert "can be invalid" not in (tmp_path / "drawn" / "report.html").read_text(encoding="utf-8")


def test_unknown_codes_are_refused_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(StudyFileError, match=r"audit\.accept: .*'group-overlp'.*Did you mean 'group-overlap'\?"):
        small_study(tmp_path, audit={"accept": ["group-overlp"]})
    study = small_study(tmp_path)
    with pytest.raises(StudyFileError, match=r"--accept: .*'duplicates-across-classes'.*Did you mean"):
        accepting(study, ["duplicates-across-classes"])
    twice = accepting(accepting(study, ["tiny-class"]), ["tiny-class", "group-overlap"])
    assert twice.audit.accept == ("tiny-class", "group-overlap")
    assert 'accept = [\n    "tiny-class",' in study_as_toml(twice)


def test_pictures_are_the_same_ones_every_time_and_fit_the_findings(conflicting: Path) -> None:
    config = DataConfig(path=str(conflicting), image_size=32)
    cache = open_cache(config)
    result = audit_data(cache, SplitConfig())
    pictures = audit_pictures(cache, config, result.findings)
    again = audit_pictures(cache, config, result.findings)
    assert {name: [one.row for one in images] for name, images in pictures.classes.items()} == {
        name: [one.row for one in images] for name, images in again.classes.items()
    }
    assert [len(images) for images in pictures.classes.values()] == [5, 5, 5]
    first = pictures.findings[0]
    assert [one.row for one in first] == list(result.findings[0].rows)
    assert {one.label for one in first} == {"left", "right"}
    assert np.array_equal(first[0].pixels, cache.images[first[0].row][..., 0])
    assert pictures.compared == {}


def test_sixteen_bit_images_use_the_shades_they_have(tmp_path: Path) -> None:
    for name, number in (("a", 4), ("b", 4)):
        (tmp_path / name).mkdir()
        for n in range(number):
            ramp = np.linspace(0, 4095, 32 * 32).reshape(32, 32).astype(np.uint16) // (1 + n)
            Image.fromarray(ramp).save(tmp_path / name / f"{n}.png")
    config = DataConfig(path=str(tmp_path), image_size=32)
    cache = open_cache(config)
    assert cache.images.dtype == np.uint16
    pictures = audit_pictures(cache, config, ())
    brightest = max(one.pixels.max() for images in pictures.classes.values() for one in images)
    assert brightest == 255


@pytest.mark.parametrize("kind", ["files", "digits", "npz"])
def test_preprocessing_is_drawn_before_and_after(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = {"files": str(tmp_path / "images"), "digits": "digits", "npz": str(tmp_path / "a.npz")}[kind]
    if kind == "files":
        write_images(tmp_path / "images", per_class=5)
    if kind == "npz":
        images = np.random.default_rng(0).integers(0, 255, (30, 28, 28), dtype=np.uint8)
        np.savez(path, train_images=images, train_labels=np.arange(30)[:, None] % 2)
    config = DataConfig(path=path, image_size=32)
    cache = open_cache(config)
    pictures = audit_pictures(cache, config.model_copy(update={"preprocess": ("clahe",)}), ())
    pairs = [pair for own in pictures.compared.values() for pair in own]
    assert len(pairs) == 3 * len(cache.manifest.class_names)
    for without, within in pairs:  # the cache was made without presets, so both are equal
        assert without.row == within.row
        assert np.array_equal(without.pixels, within.pixels)
    assert pictures.presets == ("clahe",)


def test_an_image_of_several_findings_has_all_of_them_as_label(tmp_path: Path) -> None:
    write_images(tmp_path / "images", per_class=6)
    names = [f"left/{n:03d}.png" for n in range(6)]
    table = tmp_path / "images" / "t.csv"
    pl.DataFrame({"path": names, "label": ["x|y", "x", "y", "x|y", "x", "y"]}).write_csv(table)
    config = DataConfig(path=str(table), image_size=32, label_separator="|")
    cache = open_cache(config)
    pictures = audit_pictures(cache, config, ())
    assert {one.label for one in pictures.classes["x"]} == {"x", "x, y"}
    assert data_counts(cache) == {"x": 4, "y": 4}


def data_counts(cache: Any) -> dict[str, int]:
    return {one["name"]: one["images"] for one in audit_data(cache, SplitConfig()).facts["classes"]}
