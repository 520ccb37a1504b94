"""What every test folder of the repository shares; the fixtures themselves are in tests/support/."""

from hypothesis import settings

pytest_plugins = ["support.fixtures", "support.hubs"]

# A busy machine makes an example slow, not wrong.
settings.register_profile("hub", deadline=None, print_blob=True)
settings.load_profile("hub")
