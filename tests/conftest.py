from hypothesis import settings

pytest_plugins = ["tests.support.fixtures"]

# How long an example takes says more about the machine than about the code.
settings.register_profile("journey-stream", deadline=None)
settings.load_profile("journey-stream")
