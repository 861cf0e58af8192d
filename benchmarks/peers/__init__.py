"""The same job on other systems, each written the way that system is meant to be used."""
