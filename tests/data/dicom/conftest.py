"""The same folders of their own as other tests of data."""

from tests.data.conftest import own_folders  # noqa: F401 - used by itself
