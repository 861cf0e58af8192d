"""The read side: the output topics projected into tables, an API over these, and the live journey map."""
