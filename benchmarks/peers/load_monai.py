"""MONAI's `CacheDataset` with two workers: building it, and going through it. Options: folder, size, batch_size."""

import warnings
from pathlib import Path

from common import Stopwatch, answer, options

warnings.filterwarnings("ignore")
from monai.data import CacheDataset, DataLoader, PILReader  # noqa: E402 - warns while it is imported
from monai.transforms import (  # noqa: E402
    Compose,
    EnsureChannelFirstd,
    LoadImaged,
    Resized,
    ScaleIntensityRanged,
)

asked = options()
size = (asked["size"], asked["size"])
watch = Stopwatch()
watch.start()
classes = sorted(path for path in Path(asked["folder"]).iterdir() if path.is_dir())
files = [{"image": str(path), "label": label} for label, one in enumerate(classes) for path in sorted(one.iterdir())]
transform = Compose(
    [
        LoadImaged("image", reader=PILReader(converter=lambda image: image.convert("L"))),
        EnsureChannelFirstd("image", channel_dim="no_channel"),
        Resized("image", spatial_size=size, mode="bilinear"),
        ScaleIntensityRanged("image", a_min=0, a_max=255, b_min=0, b_max=1),
    ]
)
data = CacheDataset(files, transform, num_workers=2, progress=False)
watch.stop()
watch.start()
images = sum(len(batch["image"]) for batch in DataLoader(data, batch_size=asked["batch_size"], shuffle=True))
watch.stop()
answer(images=images, seconds=watch.seconds)
