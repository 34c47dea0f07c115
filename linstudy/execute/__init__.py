"""The execution of a plan: a coordinator that writes, and worker processes that compute."""
