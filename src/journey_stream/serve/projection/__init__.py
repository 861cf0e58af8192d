"""From the topics into the tables."""
