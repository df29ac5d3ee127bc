"""The fixtures of search, for searches that ask a mirror."""

from tests.search.conftest import client_of, filled_folder, gallery, tiny_bundle  # noqa: F401
