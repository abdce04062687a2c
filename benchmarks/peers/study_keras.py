"""Keras on TensorFlow: every loss with every seed in one process, as a careful author would script it.

Images are decoded once, in parallel, and kept in memory; patients are split anew for every replicate; `fit` with
validation, then one prediction of the test part. Options: table, size, losses, replicates, epochs, batch_size.
"""

import csv
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
from common import answer, options
from keras_model import paper_cnn


def read_images(table: Path, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return float32 [N S S 1] from 0 to 1, class numbers and patients."""
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def decode(path: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=1)
        return tf.image.resize(image, (size, size)) / 255

    paths = tf.data.Dataset.from_tensor_slices([str(table.parent / row["path"]) for row in rows])
    images = np.concatenate(list(paths.map(decode, num_parallel_calls=tf.data.AUTOTUNE).batch(500).as_numpy_iterator()))
    _, labels = np.unique([row["label"] for row in rows], return_inverse=True)
    return images, labels, np.array([row["patient_id"] for row in rows])


def split(patients: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows to train, validate (10 % of the patients) and test (20 %) with."""
    drawn = np.random.default_rng(seed).permutation(np.unique(patients))
    test, validation = len(drawn) // 5, len(drawn) // 10
    in_test = np.isin(patients, drawn[:test])
    in_validation = np.isin(patients, drawn[test : test + validation])
    return (
        np.flatnonzero(~in_test & ~in_validation),
        np.flatnonzero(in_validation),
        np.flatnonzero(in_test),
    )


asked = options()
images, labels, patients = read_images(Path(asked["table"]), asked["size"])
classes = int(labels.max()) + 1
one_hot = keras.utils.to_categorical(labels, classes)
runs = []
for replicate in range(asked["replicates"]):
    train, validation, test = split(patients, replicate)
    for loss in asked["losses"]:
        keras.backend.clear_session()
        keras.utils.set_random_seed(replicate)
        targets = labels if loss.startswith("sparse") else one_hot
        model = paper_cnn(asked["size"], classes)
        model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"])
        model.fit(
            images[train],
            targets[train],
            validation_data=(images[validation], targets[validation]),
            batch_size=asked["batch_size"],
            epochs=asked["epochs"],
            verbose=0,
        )
        decided = model.predict(images[test], batch_size=asked["batch_size"], verbose=0).argmax(axis=1)
        runs.append({"loss": loss, "replicate": replicate, "accuracy": float((decided == labels[test]).mean())})
answer(images=len(images), runs=runs)
