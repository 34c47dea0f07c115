"""The execution of a plan: what runs next, on which worker, with what outcome, and what a person sees of it."""
