"""Features as a table."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lossassay.biomarkers import quick_network
from lossassay.biomarkers.decisions.predict import predict
from lossassay.biomarkers.features import extract as module
from lossassay.biomarkers.features.extract import extract
from lossassay.biomarkers.features.feature_table import FeatureTable
from lossassay.biomarkers.features.layers import outputs
from lossassay.biomarkers.loaded_run import load_run
from lossassay.biomarkers.model_card import card_facts
from lossassay.biomarkers.quick_network import quickened
from lossassay.data.cache import open_cache
from lossassay.engine.fused import FusedBlock
from lossassay.errors import DataError, ModelError
from lossassay.reporting.model_card import write_card
from lossassay.study.folder.store import Store
from tests.data.dicom.made import noise, write


def columns(table: pl.DataFrame, start: str) -> np.ndarray:
    return table.select(pl.col(f"^{start}_.*$")).to_numpy()


def test_the_table_holds_what_the_run_predicted_in_its_study(image_study: Path, tmp_path: Path) -> None:
    run = load_run(image_study)
    found = extract(run, run.study.data.path, tmp_path / "f.parquet")
    table = pl.read_parquet(tmp_path / "f.parquet")
    stored = Store(image_study).predictions(run.id, "test")
    rows = stored["row"].to_numpy()
    np.testing.assert_allclose(
        columns(table, "probability")[rows], stored["probabilities"].to_numpy(), rtol=1e-5, atol=1e-6
    )
    assert table["group"][rows.tolist()].to_list() == stored["group"].to_list()
    assert table["label"][rows.tolist()].to_list() == [run.class_names[label] for label in stored["label"].to_list()]
    expected = outputs(run, open_cache(run.study.data).images, np.arange(90)).features
    np.testing.assert_array_equal(columns(table, "feature"), expected)
    assert (found.images, found.features, found.left_out) == (90, expected.shape[1], 0)
    assert table.columns[:6] == ["id", "group", "label", "probability_left", "probability_middle", "probability_right"]
    assert table.columns[6] == "feature_000"


def test_all_formats_hold_the_same(image_study: Path, tmp_path: Path) -> None:
    run = load_run(image_study)
    for suffix in (".parquet", ".csv", ".npz"):
        extract(run, run.study.data.path, tmp_path / f"f{suffix}")
    table = pl.read_parquet(tmp_path / "f.parquet")
    text = pl.read_csv(tmp_path / "f.csv", schema=table.schema)
    assert text.equals(table)
    with np.load(tmp_path / "f.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["features"], columns(table, "feature"))
        np.testing.assert_array_equal(arrays["probabilities"], columns(table, "probability"))
        for name in ("id", "group", "label"):
            assert arrays[name].tolist() == table[name].to_list()


def test_blocks_change_nothing_and_leave_nothing_behind(
    image_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = load_run(image_study)
    extract(run, run.study.data.path, tmp_path / "whole.parquet", batch_size=7)
    monkeypatch.setattr(module, "_LARGEST_BLOCK", 7)
    for suffix in (".parquet", ".npz"):
        told: list[tuple[int, int]] = []
        extract(
            run,
            run.study.data.path,
            tmp_path / f"blocks{suffix}",
            batch_size=7,
            on_progress=lambda done, total, told=told: told.append((done, total)),
        )
        assert told[0] == (7, 90)
        assert told[-1] == (90, 90)
    whole, blocks = pl.read_parquet(tmp_path / "whole.parquet"), pl.read_parquet(tmp_path / "blocks.parquet")
    assert blocks.equals(whole)
    with np.load(tmp_path / "blocks.npz") as arrays:
        np.testing.assert_array_equal(arrays["features"], columns(whole, "feature"))
        assert arrays["id"].tolist() == whole["id"].to_list()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blocks.npz", "blocks.parquet", "whole.parquet"]


def test_fused_kernels_give_the_same_bits_and_are_used_only_where_they_give_the_layer(
    image_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = load_run(image_study)
    for layer in ("features", "features.1", "features.1.2"):
        monkeypatch.setattr(quick_network, "_WORTH_LOADING", 2_000)
        assert quickened(run, layer, 1_999) is run
        extract(run, run.study.data.path, tmp_path / "plain.parquet", layer=layer)
        monkeypatch.setattr(quick_network, "_WORTH_LOADING", 1)
        fused = quickened(run, layer, 90).model
        assert any(isinstance(module, FusedBlock) for module in fused.modules()) == (layer != "features.1.2")
        extract(run, run.study.data.path, tmp_path / "fused.parquet", layer=layer)
        assert pl.read_parquet(tmp_path / "fused.parquet").equals(pl.read_parquet(tmp_path / "plain.parquet"))
    assert not any(isinstance(module, FusedBlock) for module in run.model.modules())


def test_bf16_is_near_and_only_on_request(image_study: Path, tmp_path: Path) -> None:
    run = load_run(image_study)
    extract(run, run.study.data.path, tmp_path / "f.parquet")
    extract(run, run.study.data.path, tmp_path / "half.parquet", precision="bf16")
    exact, half = (columns(pl.read_parquet(tmp_path / f"{name}.parquet"), "feature") for name in ("f", "half"))
    assert 0 < np.abs(half - exact).max() < 0.05 * np.abs(exact).max()


def test_a_patients_mean_is_the_same_in_any_blocks(
    image_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = load_run(image_study)
    extract(run, run.study.data.path, tmp_path / "whole.parquet", per_patient=True)
    monkeypatch.setattr(module, "_LARGEST_BLOCK", 7)
    extract(run, run.study.data.path, tmp_path / "blocks.parquet", per_patient=True)
    whole = pl.read_parquet(tmp_path / "whole-patients.parquet")
    assert pl.read_parquet(tmp_path / "blocks-patients.parquet").equals(whole)


def test_a_row_for_each_patient_is_the_mean_of_its_images(image_study: Path, tmp_path: Path) -> None:
    run = load_run(image_study)
    found = extract(run, run.study.data.path, tmp_path / "f.csv", per_patient=True)
    assert found.patients_path == tmp_path / "f-patients.csv"
    patients = pl.read_csv(tmp_path / "f-patients.csv")
    images = pl.read_csv(tmp_path / "f.csv")
    assert found.patients == len(patients) == images["group"].n_unique() == 3
    assert patients["images"].to_list() == [30, 30, 30]
    own = images.filter(pl.col("group") == patients["group"][1])
    np.testing.assert_allclose(columns(patients, "feature")[1], columns(own, "feature").mean(axis=0), rtol=1e-5)
    assert patients["label"].to_list() == [None, None, None]  # each has images of all classes


def test_no_name_and_no_path_is_in_the_table(image_study: Path, tmp_path: Path) -> None:
    run = load_run(image_study)
    extract(run, run.study.data.path, tmp_path / "f.csv")
    text = (tmp_path / "f.csv").read_text(encoding="utf-8")
    assert ".png" not in text
    assert "images" not in text


def test_another_layer(image_study: Path, tmp_path: Path) -> None:
    run = load_run(image_study)
    found = extract(run, run.study.data.path, tmp_path / "f.parquet", layer="features.0")
    assert found.features == 4


def test_a_layer_that_does_not_exist_is_refused_before_any_image_is_read(image_study: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no layer 'feature'\. Its layers: features, .*Did you mean 'features'\?"):
        extract(load_run(image_study), tmp_path / "absent", tmp_path / "f.csv", layer="feature")


def test_another_format_is_refused(image_study: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"f\.xlsx ends with '\.xlsx'\. Expected one of \.parquet, \.csv, \.npz"):
        extract(load_run(image_study), tmp_path, tmp_path / "f.xlsx")


def test_patients_that_nobody_knows_are_refused(finished_study: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing says which patient an image is of\. Expected a patient column"):
        extract(load_run(finished_study), "digits", tmp_path / "f.csv", per_patient=True)
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_are_missing_stay_countable_in_arrays(tmp_path: Path) -> None:
    with FeatureTable(tmp_path / "t.npz") as table:
        table.add(pl.DataFrame({"label_a": pl.Series([1, None], dtype=pl.Int64), "x": [0.5, None]}))
        table.add(pl.DataFrame({"label_a": pl.Series([0], dtype=pl.Int64), "x": [1.5]}))
        table.finish()
    with np.load(tmp_path / "t.npz", allow_pickle=False) as arrays:
        assert arrays["label_a"].tolist() == [1, -1, 0]
        np.testing.assert_array_equal(arrays["x"], [0.5, np.nan, 1.5])


def test_nothing_of_a_dicom_file_that_names_a_person_is_written(image_study: Path, tmp_path: Path) -> None:
    for number in range(3):
        tags = {"PatientID": "MRN4711", "PatientName": "Doe^Jane", "AccessionNumber": "ACC42", "StudyDate": "19990101"}
        write(
            tmp_path / "tree" / f"MRN4711-{number}.dcm", noise(number), **tags, SeriesInstanceUID=f"1.2.34567.{number}"
        )
    out = tmp_path / "out"
    out.mkdir()
    run = load_run(image_study)
    extract(run, tmp_path / "tree", out / "f.csv", per_patient=True)
    predict(run, tmp_path / "tree").write(out / "p.csv")
    write_card(card_facts(run), out / "f.csv")
    texts = [path.read_text(encoding="utf-8") for path in out.iterdir()]
    assert len(texts) == 6
    for secret in ("MRN4711", "Doe", "ACC42", "19990101", "1.2.34567", ".dcm"):
        assert not any(secret in text for text in texts), secret
