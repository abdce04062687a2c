"""The network of Seo and Cho in Keras, with the widths that lossassay gives it."""

import keras
from keras import layers


def paper_cnn(size: int, classes: int) -> keras.Model:
    """Five blocks of convolution, ReLU, batch normalisation and max pooling, then two dense layers with dropout."""
    model = keras.Sequential([layers.Input((size, size, 1))])
    for width in (32, 64, 128, 256, 256):
        model.add(layers.Conv2D(width, 3, padding="same", activation="relu"))
        model.add(layers.BatchNormalization())
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    for units in (256, 128):
        model.add(layers.Dense(units, activation="relu"))
        model.add(layers.Dropout(0.5))
    model.add(layers.Dense(classes, activation="softmax", dtype="float32"))  # as Keras' guide to mixed precision says
    return model
