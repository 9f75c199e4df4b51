"""What services tell each other. Depends on pydantic and the standard library only."""
