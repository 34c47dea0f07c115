"""Inputs of mean 0 and deviation 1 in every channel."""

import numpy as np
from jaxtyping import Float32


def channel_statistics(
    inputs: Float32[np.ndarray, "samples ..."],
) -> tuple[Float32[np.ndarray, " channels"], Float32[np.ndarray, " channels"]]:
    """Mean and deviation of each channel over samples and positions, accumulated in float64.

    Images have their channels on axis 1; vectors count as one channel. A constant channel has the deviation 1, and so
    has one whose deviation is 0 in float32.
    """
    channels = np.moveaxis(_with_channels(inputs), 1, 0)
    means = np.array([channel.mean(dtype=np.float64) for channel in channels], np.float32)
    deviations = np.array([channel.std(dtype=np.float64) for channel in channels], np.float32)
    is_constant = np.array([np.ptp(channel) == 0 for channel in channels]) | (deviations == 0)
    return means, np.where(is_constant, np.float32(1), deviations)


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
