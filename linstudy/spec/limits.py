"""How much a study may hold: what goes beyond is refused with its place before it costs time or memory.

Measured on one core: a text at its limit is read in 2 s, and a study at its limits is planned in 10 s and 1 GB.
"""

TEXT = 400_000
"""Bytes of a study file."""

VALUES = 50_000
"""Values in a text: lists, mappings, keys and what they hold, each alias counted as all that it stands for."""

DEPTH = 50
"""Lists and mappings within one another, and names in a dotted path."""

POINTS = 20_000
"""Points of a study, or of it with a profile, each seed counted."""

ALL_POINTS = 60_000
"""Points of a study and all its profiles together."""

RUNS = 50_000
"""Trainings and probes of all points together."""

POINT_VALUES = 1_000_000
"""Values of all points together, and comparisons with the entries of `exclude`."""
