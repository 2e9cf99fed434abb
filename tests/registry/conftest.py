"""The stores of the tracking tests."""

from tests.tracking.conftest import repository, tables, to

__all__ = ["repository", "tables", "to"]
