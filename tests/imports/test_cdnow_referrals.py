"""The report of referrals over the CDNOW sample, of which a third is said to have come by one."""

from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from service.platform.database import Database
from tests.api.test_referral_report import Person, as_told, reckon, reported, told
from tests.api.test_referrals import claimed, code_of, enrol
from tests.conftest import Servers, make_shop, new_database, running
from tests.imports.importer import Importer
from tests.imports.test_cdnow import OPTIONS, SAMPLE, lines_of_sample
from tests.jobs import judge_referrals

pytestmark = pytest.mark.long


async def test_of_the_sample_referees_and_others_did_what_the_file_says(
    servers: Servers, client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    persons = dict[str, Person]()
    for customer, day, _, dollars in lines_of_sample():
        person = persons.setdefault(customer, Person(datetime.now(UTC)))
        person.purchases.append((day, "USD", int(dollars * 100), 0))
        if int(customer) % 3 == 0:
            person.referrals = {("default", True)}
    persons["anna"] = Person(datetime.now(UTC))
    async with new_database(servers) as name:
        settings = servers.settings(name)
        database = Database(settings)
        await database.open()
        async with running(settings) as address:
            shop = await make_shop(database, address, client)
            await enrol(shop, "anna")
            code = await code_of(shop, "anna")
            for customer, person in persons.items():
                if person.referrals:  # ahead of the enrolment: who bought before is not new
                    await claimed(shop, code, customer)
            importer = Importer(settings, shop.program.code, tmp_path)
            assert (await importer.run(SAMPLE, *OPTIONS)).status == 0
            await judge_referrals(database)
            body = await reported(shop)
        await database.close()
    now = datetime.fromisoformat(body["made_at"])
    assert told(body) == as_told(reckon(list(persons.values()), now))
    assert (body["referees"]["customers"], body["others"]["customers"]) == (809, 1549)
    assert body["total"]["standing"]["signed_up"] == 809
    assert (body["enough"], [each["enough"] for each in body["retention"]]) == (True, [True, True])
    assert all(each["difference"]["low"] < 0 < each["difference"]["high"] for each in body["retention"])
