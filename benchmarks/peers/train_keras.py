"""Keras 3: `compile` and `fit`, as its guides write it. Options: backend, policy, size, batch_size, images."""

import os

from common import CLASSES, Stopwatch, answer, made_up_images, options

asked = options()
os.environ["KERAS_BACKEND"] = asked["backend"]

import keras  # noqa: E402 - the backend is chosen before the import
from keras_model import paper_cnn  # noqa: E402

keras.mixed_precision.set_dtype_policy(asked["policy"])


class Watch(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.watch = Stopwatch()

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self.watch.start()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        self.watch.stop()


pixels, labels = made_up_images(asked["images"], asked["size"])
model = paper_cnn(asked["size"], CLASSES)
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
timing = Watch()
model.fit(
    pixels.astype("float32") / 255, labels, batch_size=asked["batch_size"], epochs=2, verbose=0, callbacks=[timing]
)
answer(images=asked["images"], seconds=timing.watch.seconds[-1], backend=keras.backend.backend())
