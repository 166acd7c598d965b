"""The keys that prove and sign tokens, kept in each process and read anew when the catalogue says so."""

import asyncio
from typing import Final, NamedTuple

from joserfc.jwk import OKPKey

from service.customers import usecases as customers
from service.kernel.ids import to_wire
from service.platform.database import Database
from service.portal import store
from service.portal.signing_keys import PREFIX, verifying
from service.portal.tokens import ED25519, VerifyingKey, own_key
from service.programs.catalogue import Catalogue
from service.programs.rules import Program

OWN: Final = "prg_"
"""What the names of the service's own keys begin with; the program's code follows."""


class Proving(NamedTuple):
    """What proves tokens of a key, and the program whose customers they are of."""

    program: Program
    key: VerifyingKey
    algorithm: str


class Keyring:
    """Finds keys of tokens by their names."""

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._database = database
        self._catalogue = catalogue
        self._version = -1
        self._registered: dict[str, tuple[int, VerifyingKey, str]] = {}
        self._own: dict[int, OKPKey] = {}
        self._reading = asyncio.Lock()

    async def find(self, kid: str) -> Proving | None:
        """Return what proves tokens of a key; None for an unknown or revoked one. Raises Unavailable."""
        if kid.startswith(OWN):
            program = self._catalogue.program_with_code(kid.removeprefix(OWN))
            return None if program is None else Proving(program, await self.own(program), ED25519)
        if self._version != self._catalogue.version():
            await self._read()
        found = self._registered.get(kid)
        return None if found is None else Proving(self._catalogue.program(found[0]), found[1], found[2])

    async def own(self, program: Program) -> OKPKey:
        """Return the key with which the service signs for a program."""
        key = self._own.get(program.id)
        if key is None:
            async with self._database.reading() as db:
                secret = await customers.secret(db, program_id=program.id)
            key = self._own[program.id] = own_key(secret)
        return key

    async def _read(self) -> None:
        async with self._reading:
            version = self._catalogue.version()  # before the rows: what changes in between is read again
            if version == self._version:
                return
            async with self._database.reading() as db:
                found = await store.all_keys(db)
            self._registered = {
                to_wire(PREFIX, each.id): (each.program_id, verifying(each), each.algorithm) for each in found
            }
            self._version = version


def own_name(program: Program) -> str:
    """Name the service's own key of a program."""
    return f"{OWN}{program.code}"
