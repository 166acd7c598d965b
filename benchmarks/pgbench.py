"""pgbench: the database alone, doing the same booking as one function call a transaction, or the same read."""

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_BOOK = r"""
\set customer random(1, {customers})
\set total random(100, 20000)
SELECT benchmark_purchase({program}, 'c-' || :customer, :total, gen_random_uuid()::text);
"""
_READ = r"""
\set customer random(1, {customers})
SELECT c.external_id, c.available, c.pending, c.held, c.debt, c.lifetime_earned FROM customer AS c
WHERE c.program_id = {program} AND c.external_id = 'c-' || :customer;
"""


@dataclass(frozen=True)
class Result:
    """What pgbench measured. Latencies in milliseconds, under open arrivals from when a call was due."""

    calls: int
    rate: float
    p50_ms: float
    p99_ms: float


def run(  # noqa: PLR0913 - what pgbench is told
    binary: str,
    url: str,
    host: str,
    *,
    kind: str,
    program_id: int,
    customers: int,
    connections: int,
    seconds: int,
    rate: float = 0.0,
) -> Result:
    """Run pgbench with prepared statements over as many connections; at a `rate` (calls a second) or as it can."""
    script = (_READ if kind == "balances" else _BOOK).format(customers=customers, program=program_id)
    parts = urlsplit(url)
    environment = os.environ | {
        "PGHOST": host,
        "PGPORT": str(parts.port or 5432),
        "PGUSER": parts.username or "postgres",
        "PGPASSWORD": parts.password or "",
        "PGDATABASE": parts.path.lstrip("/"),
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "script.sql").write_text(script, encoding="utf-8")
        done = subprocess.run(
            [
                binary,
                "-n",
                "-M",
                "prepared",
                "-c",
                str(connections),
                "-j",
                "1",
                "-T",
                str(seconds),
                "-l",
                "-f",
                "script.sql",
                *(["-R", str(round(rate))] if rate else []),
            ],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        latencies = sorted(
            int(line.split()[2])
            for path in Path(folder).glob("pgbench_log.*")
            for line in path.read_text().splitlines()
        )
    tps = re.search(r"tps = ([0-9.]+)", done.stdout)
    assert tps is not None, done.stdout
    p50, p99 = (latencies[int(len(latencies) * share)] / 1000 for share in (0.5, 0.99))
    return Result(len(latencies), float(tps[1]), p50, p99)
