"""The JSON API of the journey map, and what serves the page."""
