"""Databases of their own, so that their size and their plans are the tests' alone."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import asyncpg
import pytest

from service.platform.database import Database
from service.platform.settings import Settings
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import usecases as programs
from service.programs.rules import Program, ProgramSettings
from tests.conftest import Servers, new_database

CUSTOMERS = 20_000
_FILL = """
INSERT INTO customer (program_id, id, external_id, version, available, lifetime_earned, purchase_count,
    first_purchase_at, last_purchase_at, enrolled_at)
SELECT $1, n, 'old-' || n, 1, 1, 1, 1, now(), now(), now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO customer_profile (program_id, customer_id, updated_at) SELECT $1, n, now()
FROM generate_series(1, $2::integer) AS n;
INSERT INTO claim SELECT $1, 1, 'old-' || n, decode(md5(n::text), 'hex'), made.id
FROM generate_series(1, $2::integer) AS n, LATERAL (SELECT %(id)s AS id) AS made;
INSERT INTO purchase SELECT $1, n, %(id)s, 'old-' || n, 'EUR', 100, 0, 0, 0, NULL, NULL, '[]', '{}', 1, 0, '[]',
    1, 0, 0, 0, now(), now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO transfer SELECT $1, n, %(id)s, 'issued', 'available', 1, 'purchase', 'purchase', 'old-' || n, 'base', 1,
    NULL, 1, 1, 0, 0, 0, now(), now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO lot SELECT $1, n, %(id)s, 1, 1, now(), 'infinity', 'purchase', 'old-' || n
FROM generate_series(1, $2::integer) AS n;
SELECT setval('customer_id_seq', $2::integer);
BEGIN;
INSERT INTO reward SELECT $1, %(id)s, 1, 'active', 'third_party', 1, 1, now() FROM generate_series(1, 2000) AS n;
INSERT INTO reward_version SELECT $1, r.id, 1, '{}', now() FROM reward AS r;
COMMIT;
INSERT INTO reward_piece SELECT $1, %(id)s, (SELECT min(id::text)::uuid FROM reward), 1, n, 'issued', now()
FROM generate_series(1, $2::integer) AS n;
INSERT INTO voucher SELECT $1, p.id, 'old-' || p.customer_id, p.reward_id, 1, p.customer_id, 1, 1, now()
FROM reward_piece AS p;
INSERT INTO voucher_use SELECT $1, v.id, v.id, 1, 'old', 100, 'EUR', 100, now() FROM voucher AS v;
INSERT INTO adjustment SELECT $1, %(id)s, n, 1, 'goodwill', 'n', NULL, 'booked', %(id)s, %(id)s, %(id)s, now()
FROM generate_series(1, $2::integer) AS n;
INSERT INTO opening_balance SELECT $1, n, %(id)s, 'old-' || n, 1, 0, 1, 0, 0, 0, now()
FROM generate_series(1, $2::integer) AS n;
INSERT INTO activity SELECT $1, n, %(id)s, 'old-' || n, 'survey', 1, '{}', 0, 0, '[]', 1, 0, 0, 0, NULL, NULL,
    now(), now()
FROM generate_series(1, $2::integer) AS n;
INSERT INTO tier_change SELECT $1, n, %(id)s, NULL, 'silver', 'purchase', now(), now()
FROM generate_series(1, $2::integer) AS n;
INSERT INTO tier_notice SELECT $1, n, %(id)s, 'silver', NULL, now(), now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO suppression SELECT $1, n, %(id)s, 'opt_out', NULL, 'r', %(id)s, now(), NULL, NULL, NULL
FROM generate_series(1, $2::integer) AS n;
INSERT INTO referral_code SELECT $1, %(id)s, 'KEY' || n, 'KEY' || n, n, NULL, TRUE, now(), NULL
FROM generate_series(1, $2::integer) AS n;
INSERT INTO referral_click SELECT $1, k.id, date '2026-01-01', 1 FROM referral_code AS k;
INSERT INTO referral (program_id, id, referrer_id, referee_id, code_id, offer, offer_version, terms, state, claimed_at,
    counts_from, expires_at, qualified_at, waits_until, rewarded_at, number, look_at)
SELECT $1, k.id, k.customer_id, k.customer_id %% $2::integer + 1, k.id, 'friends', 1, '{"name": "Friends"}', s.state,
    now(), now(), now() + interval '1 day', now(), now(), CASE s.state WHEN 'rewarded' THEN now() END,
    CASE s.state WHEN 'rewarded' THEN 1 END, CASE s.state WHEN 'waiting' THEN now() END
FROM referral_code AS k
CROSS JOIN LATERAL (SELECT CASE k.customer_id %% 1000 WHEN 1 THEN 'waiting' ELSE 'rewarded' END AS state) AS s;
INSERT INTO referral_ahead SELECT $1, 'ahead-' || n, %(id)s FROM generate_series(1, $2::integer) AS n;
INSERT INTO referral_mark SELECT $1, 'address', decode(md5(n::text) || md5(n::text), 'hex'), n, NULL, now()
FROM generate_series(1, $2::integer) AS n;
INSERT INTO referral_mark SELECT $1, 'address', decode(md5(n::text) || md5(n::text), 'hex'), NULL, %(id)s, now()
FROM generate_series(1, $2::integer) AS n;
INSERT INTO referral_use SELECT $1, 'offer-' || n, 'day', date '2026-01-01', 1, 1, NULL, NULL
FROM generate_series(1, $2::integer) AS n;
INSERT INTO referral_ask SELECT $1, n, 'purchase:2', now(), now() + interval '14 days',
    CASE n %% 1000 WHEN 1 THEN NULL ELSE now() END, NULL
FROM generate_series(1, $2::integer) AS n;
INSERT INTO referral_ask_told SELECT $1, %(id)s, 'purchase:2', now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO earning_use SELECT $1, 'rule-' || n, 'day', date '2026-01-01', 1, 1, NULL, NULL
FROM generate_series(1, $2::integer) AS n;
INSERT INTO refund (program_id, customer_id, id, external_id, purchase_id, amount, from_lots, to_debt, written_off,
    restored, state, available_after, pending_after, held_after, debt_after, occurred_at, recorded_at)
SELECT $1, p.customer_id, p.id, p.external_id, p.id, 1, 0, 0, 0, 0, '{}', 1, 0, 0, 0, now(), now() FROM purchase AS p;
INSERT INTO hold SELECT $1, n, %(id)s, 'released', 1, 0, NULL, now(), now(), now()
FROM generate_series(1, $2::integer) AS n;
INSERT INTO expiry_notice SELECT $1, n, %(id)s, 1, now(), now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO event SELECT $1, n, %(id)s, 'purchase.rewarded', n, %(id)s, now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO feed VALUES ($1, $2);
INSERT INTO reward_code SELECT $1, v.id, v.reward_id, v.code, NULL FROM voucher AS v;
INSERT INTO webhook (program_id, id, url, description, created_at, position)
SELECT $1, %(id)s, 'https://hooks.example.com', '', now(), $2::integer FROM generate_series(1, 20) AS n;
INSERT INTO webhook_secret SELECT $1, w.id, w.id, decode(repeat('00', 32), 'hex'), now() FROM webhook AS w;
INSERT INTO webhook_delivery SELECT $1, (SELECT min(id::text)::uuid FROM webhook), e.id, e.position, e.type,
    CASE e.position %% 1000 WHEN 1 THEN 'waiting' WHEN 2 THEN 'dead' ELSE 'delivered' END, 1, now(),
    CASE e.position %% 1000 WHEN 1 THEN now() END, CASE e.position %% 1000 WHEN 1 THEN NULL ELSE now() END, '[{}]'
FROM event AS e;
INSERT INTO payment_terms SELECT $1, n, '{}', now() FROM generate_series(1, $2::integer) AS n;
INSERT INTO invoice (program_id, id, external_id, customer_id, content_hash, number, number_key, likeness, issued_on,
    currency, agreement, bill, charged, total, tax, open, is_frozen, recorded_at, changed_at)
SELECT $1, %(id)s, 'old-' || n, n, k.hash, 'old-' || n, k.hash, k.hash, date '2026-01-01', 'EUR', '{}', '{}', '{}', 100,
    0, CASE n %% 1000 WHEN 1 THEN 100 ELSE 0 END, TRUE, now(), now()
FROM generate_series(1, $2::integer) AS n
CROSS JOIN LATERAL (SELECT decode(md5(n::text), 'hex') AS hash) AS k;
INSERT INTO invoice_version SELECT $1, i.id, i.id, 1, i.customer_id, i.issued_on, NULL, 'EUR', 100, 0, now()
FROM invoice AS i;
INSERT INTO payment SELECT $1, i.id, i.external_id, i.customer_id, i.issued_on, 'EUR', 100, NULL, TRUE, 0,
    '{"lines": []}', now(), now() FROM invoice AS i;
INSERT INTO settlement SELECT $1, i.id, i.id, 0, 100, 100, 0, 0, 0, 0, 0, i.issued_on, NULL, '{}', TRUE, FALSE
FROM invoice AS i;
INSERT INTO payment_reversal SELECT $1, i.id, i.id, 0, '{}', now() FROM invoice AS i;
INSERT INTO credit_note SELECT $1, i.id, i.external_id, i.customer_id, i.id, i.issued_on, 1, 0, 0, 1, 0, '{}', now()
FROM invoice AS i;
INSERT INTO settlement_taken SELECT $1, i.id, i.id, i.id, 1, 1, 0, 0, 0 FROM invoice AS i;
INSERT INTO webhook_disabling SELECT $1, %(id)s, %(id)s, 'gone', NULL, now()
FROM generate_series(1, $2::integer) AS n;
"""
_ID = """(lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0')
    || '7000' || '8000' || lpad(to_hex(n), 12, '0'))::uuid"""


@dataclass(frozen=True)
class Books:
    """A database with one program."""

    settings: Settings
    owner: Db
    program: Program


@pytest.fixture(scope="package")
async def books(servers: Servers) -> AsyncGenerator[Books]:
    """Give books of 20,000 customers with a purchase each."""
    async with new_database(servers) as name:
        settings = servers.settings(name)
        owner = await asyncpg.connect(servers.database_url(name, owner=True))
        database = Database(settings)
        await database.open(size=1)
        program = await transact(
            database.connection,
            lambda db: programs.create_program(db, code="books", name="Books", live=False, settings=ProgramSettings()),
        )
        await database.close()
        for statement in (_FILL % {"id": _ID}).split(";")[:-1]:
            filled = statement.replace("$1", str(program.id)).replace("$2", str(CUSTOMERS))
            await owner.execute(filled)
        await owner.execute("ANALYZE")
        try:
            yield Books(settings, owner, program)
        finally:
            await owner.close()
