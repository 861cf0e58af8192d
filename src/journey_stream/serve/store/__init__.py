"""Where the projected tables are kept."""
