"""How a notice leaves the house. A further channel is one file here and one line in the registry."""
