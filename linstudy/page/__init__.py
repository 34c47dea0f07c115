"""A page to browse runs with: what is published, as one file of HTML that draws by itself."""
