"""A Python client is generated from the OpenAPI document, has types, and works."""

import shutil
import sys
from pathlib import Path

import pytest

from service.platform.http.docs import DOCUMENT
from service.platform.roles import Role
from tests.clients.running import run
from tests.shop import Shop

pytestmark = pytest.mark.long

TILL = Path(__file__).with_name("python") / "till.py"


@pytest.fixture(scope="module")
async def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate the client into a folder of its own, without a warning, and put the till beside it."""
    folder = tmp_path_factory.mktemp("python")
    (folder / "generator.json").write_text('{"post_hooks": []}')  # nobody reads how it is formatted
    printed = await run(
        *(sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning", "--meta", "none"),
        *("--path", str(DOCUMENT), "--output-path", "loyalty_client", "--config", "generator.json"),
        cwd=folder,
    )
    assert "warning" not in printed.lower(), printed
    shutil.copy(TILL, folder)
    return folder


async def test_the_generated_client_earns_points_reads_them_and_meets_problems(workshop: Path, shop: Shop) -> None:
    told = {"LOYALTY_ADDRESS": shop.address, "LOYALTY_KEY": shop.keys[Role.CHECKOUT]}
    await run(sys.executable, "till.py", cwd=workshop, PYTHONPATH=str(workshop), **told)
    assert await shop.balance("ann%2F42%20of%20Bonn") == {"available": 130, "pending": 0, "held": 0, "debt": 0}


async def test_the_generated_client_has_types(workshop: Path) -> None:
    (workshop / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict", "include": ["till.py"]}')
    await run(sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable, cwd=workshop)
