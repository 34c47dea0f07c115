"""Where runs are computed: a worker, its process, the way to it, and the places that there are for it."""
