"""What every test folder of the repository shares; the fixtures themselves are in tests/support/."""

from hypothesis import settings

pytest_plugins = ["support.fixtures", "support.hubs"]

# A busy machine makes an example slow, not wrong.
# The same examples every time: a run that fails must fail again; `--hypothesis-profile=explore` looks for new ones.
settings.register_profile("hub", deadline=None, print_blob=True, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile("hub")
