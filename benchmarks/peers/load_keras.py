"""`keras.utils.image_dataset_from_directory`, gone through twice. Options: folder, size, batch_size."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow  # noqa: F401 - its import does not count
from common import Stopwatch, answer, options

asked = options()
watch = Stopwatch()
for _pass in range(2):
    watch.start()
    data = keras.utils.image_dataset_from_directory(
        asked["folder"],
        image_size=(asked["size"], asked["size"]),
        color_mode="grayscale",
        batch_size=asked["batch_size"],
        verbose=False,
    )
    images = sum(int(batch.shape[0]) for batch, _labels in data)
    watch.stop()
answer(images=images, seconds=watch.seconds)
