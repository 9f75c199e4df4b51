"""One use case per file. Handlers run inside the caller's transaction and never send anything."""
