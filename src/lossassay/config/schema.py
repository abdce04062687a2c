"""The study file as frozen plain data. Nothing edits it later; its parts are hashed into the names of runs."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

Vary = Literal["split", "init", "order", "augmentation", "dropout"]
VARY_ALL: tuple[Vary, ...] = ("split", "init", "order", "augmentation", "dropout")


CONTROL_ARM = "A/A control"  # the reference arm against itself; no arm of a study may be called so


class Frozen(BaseModel):
    """Base of all parts of a study: frozen, strict about types, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _tuple(value: Any) -> Any:
    """TOML has lists only; tuples stay hashable."""
    return tuple(value) if isinstance(value, list) else value


def _split(value: Any) -> Any:
    return {"official": True} if value == "official" else value


class SplitConfig(Frozen):
    """How rows become training, validation and test parts.

    ``split = "official"`` uses the parts that the data name; where they name no validation part, the share
    ``validation`` is drawn from the training part in every replicate.
    """

    official: bool = False
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.1
    test: Annotated[float, Field(gt=0, lt=1)] = 0.2


class DataConfig(Frozen):
    """Where the images are and how they become one array."""

    path: str
    image_size: Annotated[int, Field(ge=32, le=4096)] = 64  # px, each side
    channels: Literal[1, 3] = 1
    resize: Literal["pad", "crop", "stretch"] = "pad"
    padding: Annotated[int, Field(ge=0, le=255)] = 0  # grey value around an image that is padded to a square
    background: Annotated[int, Field(ge=0, le=255)] = 255  # grey value behind transparent pixels
    group: str | None = None  # column (table) whose rows must stay in one part
    group_pattern: str | None = None  # regular expression with one group, searched in the path (class folders)
    source: str | None = None  # column that says where an image comes from
    path_column: str = "path"
    label_column: str = "label"
    label_separator: str | None = None  # set: one row has several labels in one cell, and the task is multi-label
    finding_columns: Annotated[tuple[str, ...], BeforeValidator(_tuple)] | None = None  # one for each finding
    uncertain: Literal["ignore", "zeros", "ones"] = "ignore"  # what -1 in such a column stands for
    unmentioned: Literal["absent", "unknown"] = "absent"  # what an empty cell in such a column stands for
    order: Annotated[tuple[str, ...], BeforeValidator(_tuple)] | None = None  # class names from lowest to highest grade
    label_bins: Annotated[tuple[float, ...], BeforeValidator(_tuple)] | None = None  # labels are numbers: cut them here
    part_column: str = "official_split"
    allow_paths_outside: bool = False
    split: Annotated[SplitConfig, BeforeValidator(_split)] = SplitConfig()


class AugmentConfig(Frozen):
    """Light augmentation, drawn anew for every image in every epoch. All off by default."""

    flip: bool = False  # left-right, with probability 1/2
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.0  # up to this share of the side, in both directions
    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 0.0  # up to, both ways
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.0  # factor from 1 - contrast to 1 + contrast


class TrainingConfig(Frozen):
    """The recipe: everything that is the same for all arms unless an arm says otherwise."""

    model: str = "paper_cnn"
    model_options: dict[str, Any] = {}
    weights: str | None = None  # safetensors file to start from
    freeze_features: bool = False
    epochs: Annotated[int, Field(ge=1)] = 15
    batch_size: Annotated[int, Field(ge=2)] = 100
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9  # sgd only
    schedule: Literal["constant", "cosine", "one_cycle"] = "constant"
    class_weights: (
        Literal["none", "balanced"] | Annotated[tuple[Annotated[float, Field(gt=0)], ...], BeforeValidator(_tuple)]
    ) = "none"
    augment: AugmentConfig = AugmentConfig()
    selection: Literal["best", "last"] = "best"  # epoch whose weights are kept, by the validation yardstick
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    kernels: Literal["auto", "plain", "fused", "compiled"] = "auto"  # how layers are computed; fused needs `fast`
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    threads: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"  # per run


# What one arm may train with otherwise; the rest (model, batches, epochs' data) is what makes arms comparable.
ARM_TRAINING_KEYS = (
    "epochs",
    "optimizer",
    "learning_rate",
    "weight_decay",
    "momentum",
    "schedule",
    "class_weights",
    "precision",
    "kernels",
)


class ArmConfig(Frozen):
    """A fully written-out loss, and what it trains with where it differs."""

    name: str
    loss: str  # the catalogue's name
    hyper_parameters: dict[str, Any] = {}
    training: dict[str, Any] = {}


class ReplicateRange(Frozen):
    """Replicates of a study that stops when every comparison is decided."""

    min: Annotated[int, Field(ge=2, le=1000)]
    max: Annotated[int, Field(ge=3, le=1000)]


def _kind_of_replicates(value: Any) -> str:
    return "[range]" if isinstance(value, (dict, ReplicateRange)) else "[number]"


Replicates = Annotated[
    Annotated[int, Field(ge=1, le=1000), Tag("[number]")] | Annotated[ReplicateRange, Tag("[range]")],
    Discriminator(_kind_of_replicates),
]


class EvidenceConfig(Frozen):
    """What is repeated, what is compared and how sure the answer must be."""

    replicates: Replicates = 10  # or { min, max }: stops when every comparison is decided
    stopping: Literal["planned", "anytime"] = "planned"  # how looks are paid for; only with { min, max }
    method: Literal["t", "sign_flip"] = "t"  # of the verdicts, scope procedure, fixed replicates
    control: bool = False  # the reference arm once more on the same split, with its own weights and order
    vary: Annotated[tuple[Vary, ...], BeforeValidator(_tuple)] = VARY_ALL
    metric: str | None = None  # None: balanced accuracy, or macro AUROC for multi-label data
    margin: Annotated[float, Field(gt=0)] | None = None
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    scope: Literal["procedure", "population"] = "procedure"
    compare: str = "all"  # or the name of a reference arm
    seed: Annotated[int, Field(ge=0)] = 0

    @property
    def sequential(self) -> bool:
        """Whether the number of replicates depends on what they show."""
        return isinstance(self.replicates, ReplicateRange)

    @property
    def fewest(self) -> int:
        """Replicates that are there at the first look."""
        return self.replicates if isinstance(self.replicates, int) else self.replicates.min

    @property
    def most(self) -> int:
        """Replicates at most."""
        return self.replicates if isinstance(self.replicates, int) else self.replicates.max


class Study(Frozen):
    """One question: a data set, some arms, a training recipe, an evidence rule."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    data: DataConfig
    arms: Annotated[tuple[ArmConfig, ...], Field(min_length=1), BeforeValidator(_tuple)]
    training: TrainingConfig = TrainingConfig()
    evidence: EvidenceConfig = EvidenceConfig()

    @property
    def reference(self) -> str:
        """The arm that others are compared with, or else the first."""
        return self.arms[0].name if self.evidence.compare == "all" else self.evidence.compare

    def training_of(self, arm: ArmConfig) -> TrainingConfig:
        """The recipe with this arm's own parameters in place."""
        return TrainingConfig.model_validate(self.training.model_dump() | arm.training)
