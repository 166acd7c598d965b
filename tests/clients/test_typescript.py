"""TypeScript types are generated from the OpenAPI document, and a strict program on them works."""

import re
import shutil
from pathlib import Path

import pytest

from service.platform.http.docs import DOCUMENT
from service.platform.roles import Role
from tests.clients.running import Failed, run
from tests.shop import Shop

pytestmark = pytest.mark.long

PACKAGE = Path(__file__).with_name("typescript")
UNREACHABLE = re.compile(r"ENOTFOUND|ECONN\w+|EAI_AGAIN|E?TIMEDOUT|SOCKET_TIMEOUT|E50\d|CERT|network")
"""What npm says when there is no registry to ask, or none that it trusts."""


@pytest.fixture(scope="module")
async def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install what package-lock.json pins into a folder of its own, and generate the types there."""
    if not (shutil.which("npm") and shutil.which("node")):
        pytest.skip("npm is not on the path")
    folder = tmp_path_factory.mktemp("typescript") / "till"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("node_modules"))
    quietly = ("--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--fetch-retries=0")
    try:
        await run("npm", "ci", *quietly, "--fetch-timeout=20000", cwd=folder)
    except Failed as failed:
        if UNREACHABLE.search(failed.printed):
            pytest.skip("npm reaches no registry")
        raise
    await run("npm", "exec", "--offline", "--", "openapi-typescript", str(DOCUMENT), "-o", "schema.d.ts", cwd=folder)
    return folder


async def test_a_strict_program_on_generated_types_earns_points_and_reads_them(workshop: Path, shop: Shop) -> None:
    await run("npm", "exec", "--offline", "--", "tsc", cwd=workshop)
    await run("node", "till.js", cwd=workshop, LOYALTY_ADDRESS=shop.address, LOYALTY_KEY=shop.keys[Role.ADMIN])
    assert await shop.balance("ann%2F42%20of%20Bonn") == {"available": 129, "pending": 0, "held": 0, "debt": 0}
