"""What a run will take before it runs: operations and bytes counted from its spec, and seconds from runs like it."""
