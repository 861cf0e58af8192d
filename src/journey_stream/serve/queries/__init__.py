"""The numbers of the journey map: each a function of one reading of the store under a filter."""
