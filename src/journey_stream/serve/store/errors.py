"""What can be wrong with a store, told to the person who starts the service."""


class StoreError(Exception):
    """The store cannot be used. The message says what is wrong and what to do about it."""
