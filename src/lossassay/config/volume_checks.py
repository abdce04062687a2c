"""What cannot be meant in a study's volume section, whatever the data are."""

from collections.abc import Iterator

from lossassay.config.schema import DataConfig


def volume_problems(data: DataConfig) -> Iterator[str]:
    """Say what is wrong with ``data.volume``, each with its key, what came and what to do."""
    volume = data.volume
    low, high = volume.clip
    if not 0 <= low < high <= 100:
        yield f"data.volume.clip: must be two rising percentiles from 0 to 100, such as [0.5, 99.5]; got {[low, high]}"
    if volume.window is not None and volume.window[1] <= 0:
        yield (
            f"data.volume.window: is (centre, width) in the units of the values, and the width must be above 0; got "
            f"{list(volume.window)}"
        )
    if volume.form == "channels" and data.channels != 3:
        yield (
            'data.volume.form: "channels" makes three neighbouring slices the three channels of an image, and '
            f"data.channels is {data.channels}; set data.channels = 3"
        )
    if volume.form == "volume" and volume.slices is not None:
        yield (
            f'data.volume.slices: {volume.slices} slices were asked for, and the form "volume" takes whole volumes; '
            'set data.volume.form = "slices" or "channels", or leave slices out'
        )
