"""What cannot be trained on the labels is refused before training, with what fits instead."""

from pathlib import Path
from typing import Any

import pytest

from lossassay.config import Study
from lossassay.data.cache import open_cache
from lossassay.errors import LabelError
from lossassay.study.planning.plan import Plan, make_plan
from tests.study.helpers import small_study, write_images


def plan(study: Study, tmp_path: Path) -> Plan:
    return make_plan(study, open_cache(study.data, cache_folder=tmp_path / "cache"))


def single_label(tmp_path: Path, *arms: dict[str, Any], **data: Any) -> Plan:
    images = write_images(tmp_path / "images")
    return plan(small_study(images, arms=list(arms), data=data), tmp_path)


def findings(tmp_path: Path, *arms: dict[str, Any], rare: int = 10, split: Any = None) -> Plan:
    """Thirty images, ten of them the official test part; one finding in half of them, another in the first few."""
    write_images(tmp_path / "images", classes=("a",), per_class=30)
    lines = [
        f"images/a/{row:03d}.png,{row % 2},{int(row < rare)},{'test' if row < 10 else 'train'}" for row in range(30)
    ]
    header = "path,oedema,mass,official_split"
    (tmp_path / "table.csv").write_text("\n".join([header, *lines]), encoding="utf-8")
    columns = {"finding_columns": ["oedema", "mass"], "label_column": "path"} | ({"split": split} if split else {})
    study = small_study(
        tmp_path / "table.csv", arms=list(arms), data=columns, evidence={"metric": "macro_auroc"}, replicates=8
    )
    return plan(study, tmp_path)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("asymmetric", "asymmetric is for findings that can occur together"),
        ("coral", r"coral is for grades: name the classes .* in data\.order"),
    ],
)
def test_losses_for_other_labels_are_refused_with_those_that_fit(tmp_path: Path, loss: str, message: str) -> None:
    with pytest.raises(LabelError, match=message) as caught:
        single_label(tmp_path, {"loss": loss})
    assert "Losses that fit: categorical_crossentropy, " in str(caught.value)


def test_a_sparse_loss_is_refused_for_findings(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="sparse_categorical_crossentropy takes one class index per image"):
        findings(tmp_path, {"loss": "sparse_categorical_crossentropy"})


def test_a_list_for_the_classes_must_have_one_number_for_each(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"pos_weight: got 3 numbers, expected 2: one for each class \(oedema, mass\)"):
        findings(tmp_path, {"loss": "binary_crossentropy_sum", "pos_weight": [1.0, 2.0, 3.0]})


def test_also_inside_a_sum_of_losses(tmp_path: Path) -> None:
    terms = [{"name": "binary_crossentropy_sum", "pos_weight": [1.0]}, {"name": "zlpr", "weight": 0.5}]
    with pytest.raises(LabelError, match=r"pos_weight: got 1 numbers, expected 2"):
        findings(tmp_path, {"loss": terms})


def test_a_loss_that_counts_classes_needs_images_of_each_in_every_training_part(tmp_path: Path) -> None:
    arms = {"loss": "binary_crossentropy"}, {"loss": "distribution_balanced"}
    assert findings(tmp_path, *arms, rare=1).runs  # drawn parts: the one image is trained with
    with pytest.raises(
        LabelError,
        match=r"distribution_balanced needs images of every class, .* replicate 0 has none of mass",
    ):
        findings(tmp_path, *arms, rare=1, split="official")


def test_losses_that_do_not_count_train_without(tmp_path: Path) -> None:
    assert findings(tmp_path, {"loss": "binary_crossentropy"}, rare=1).runs
