"""For all tests: no example fails because the machine is busy."""

from hypothesis import settings

settings.register_profile("lsim", deadline=None)
settings.load_profile("lsim")
