"""Inputs of mean 0 and deviation 1 in every channel."""

import numpy as np
from jaxtyping import Float32


def channel_statistics(
    inputs: Float32[np.ndarray, "samples ..."],
) -> tuple[Float32[np.ndarray, " channels"], Float32[np.ndarray, " channels"]]:
    """Mean and deviation of each channel over samples and positions, accumulated in float64.

    Images have their channels on axis 1; vectors count as one channel. A constant channel has the deviation 1.
    """
    channels = np.moveaxis(_with_channels(inputs), 1, 0)
    means = [channel.mean(dtype=np.float64) for channel in channels]
    deviations = [channel.std(dtype=np.float64) if np.ptp(channel) > 0 else 1.0 for channel in channels]
    return np.array(means, np.float32), np.array(deviations, np.float32)


def normalize(
    inputs: Float32[np.ndarray, "samples *shape"],
    mean: Float32[np.ndarray, " channels"],
    deviation: Float32[np.ndarray, " channels"],
) -> Float32[np.ndarray, "samples *shape"]:
    """(inputs − mean) / deviation, channel by channel."""
    normalized = _with_channels(inputs) - mean[:, None]
    normalized /= deviation[:, None]
    return normalized.reshape(inputs.shape)


def _with_channels(inputs: Float32[np.ndarray, "samples ..."]) -> Float32[np.ndarray, "samples channels positions"]:
    channels = inputs.shape[1] if inputs.ndim == 4 else 1
    return inputs.reshape(len(inputs), channels, -1)
