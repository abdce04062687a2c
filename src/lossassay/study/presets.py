"""Studies that ship with the tool: the demo, and the paper's two comparisons."""

from typing import Any, Literal

from lossassay.config import Study, parse_study
from lossassay.errors import DataError

PaperSet = Literal["symbols", "cxr"]

# Seo and Cho, Daejeon University: one run per loss.
PAPER: dict[str, dict[str, Any]] = {
    "symbols": {
        "title": "Handwritten math symbols",
        "image_size": 400,
        "epochs": 5,
        "epochs_note": (
            "The paper does not give the epochs for this set. 5 follows from its times: its X-ray run shows about "
            "250 images/s at 300 px, which is about 140 at 400 px, and 276 s of that are 5.4 passes over 7,200 images."
        ),
        "images": 9_000,
        "classes": 16,
        "sparse_categorical_crossentropy": {"train_seconds": 276.09, "accuracy": 0.91, "test_loss": 0.38},
        "categorical_crossentropy": {"train_seconds": 276.45, "accuracy": 0.91, "test_loss": 0.33},
    },
    "cxr": {
        "title": "Chest X-rays",
        "image_size": 300,
        "epochs": 100,
        "epochs_note": "",
        "images": 18_685,
        "classes": 3,
        "sparse_categorical_crossentropy": {"train_seconds": 5_964.0, "accuracy": 0.8978, "test_loss": 0.2931},
        "categorical_crossentropy": {"train_seconds": 5_939.0, "accuracy": 0.890, "test_loss": 0.3183},
    },
}
PAPER_SOFTWARE = "TensorFlow 2.4"
PAPER_HARDWARE = "i5-8700K, 16 GB, RTX 3060 12 GB"
PAPER_LOSSES = ("sparse_categorical_crossentropy", "categorical_crossentropy")


def demo_study() -> Study:
    """Return the demo: four losses on the handwritten digits that ship with scikit-learn."""
    return parse_study(
        {
            "name": "demo",
            "data": {"path": "digits", "image_size": 32},
            "arms": [
                {"loss": "categorical_crossentropy"},
                {"loss": "sparse_categorical_crossentropy"},
                {"loss": "mean_squared_error"},
                {"loss": "binary_crossentropy"},
            ],
            "training": {
                "model": "paper_cnn",
                "model_options": {"widths": [16, 32, 64, 128, 128], "dense": [128, 64], "dropout": 0.3},
                "epochs": 8,
                "batch_size": 50,
            },
            "evidence": {"replicates": 8, "metric": "balanced_accuracy", "margin": 0.02},
        },
        source="the demo",
    )


def paper_study(
    which: PaperSet,
    data: dict[str, Any],
    *,
    image_size: int | None = None,
    epochs: int | None = None,
    replicates: int = 1,
) -> Study:
    """Return the paper's study: its network, sizes, batches and epochs, and its two losses.

    Args:
        which: ``"symbols"`` (400 px) or ``"cxr"`` (300 px, 100 epochs).
        data: The data section of a study for the images at hand.
        image_size: Another size, px.
        epochs: Another number of epochs.
        replicates: The paper has one; the noise floor needs two or more.

    Raises:
        DataError: If ``which`` is no set of the paper.
    """
    if which not in PAPER:
        raise DataError(f"The paper has two sets, symbols and cxr; got {which!r}. Name one of them.")
    paper = PAPER[which]
    return parse_study(
        {
            "name": f"paper-{which}",
            "data": data | {"image_size": image_size or paper["image_size"], "channels": 1},
            "arms": [{"loss": loss} for loss in PAPER_LOSSES],
            "training": {"epochs": epochs or paper["epochs"], "batch_size": 100, "selection": "last"},
            "evidence": {"replicates": replicates, "metric": "accuracy"},
        },
        source="the paper's preset",
    )
