"""An importer for the program of a test's shop."""

from pathlib import Path

import pytest

from service.platform.settings import Settings
from tests.imports.importer import Importer
from tests.shop import Shop


@pytest.fixture
def importer(settings: Settings, shop: Shop, tmp_path: Path) -> Importer:
    """Give the command on the shop's program; the books are proved after the test."""
    return Importer(settings, shop.program.code, tmp_path)
