"""What each kind of run does: it joins engine and data, and tells events."""
