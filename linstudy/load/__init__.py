"""Reading a workspace from Python, such as in a notebook: numbers, data, networks, spectra. Nothing is written."""

from linstudy.load.findings import SampleOrder, StoredSpectrum
from linstudy.load.run import RecordedRun
from linstudy.load.samples import Samples
from linstudy.load.workspace import OpenWorkspace

__all__ = ["OpenWorkspace", "RecordedRun", "SampleOrder", "Samples", "StoredSpectrum"]
