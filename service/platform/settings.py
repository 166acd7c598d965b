"""Settings from the environment. `loyalty serve --help` tells the ones that an operator sets."""

from enum import Enum
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder that holds service/, migrations/ and openapi/."""


class Pooler(Enum):
    """What lies between the service and Postgres."""

    NONE = "0"
    PREPARED = "1"
    """A pooler in transaction mode that carries prepared statements: PgBouncer 1.21 with `max_prepared_statements`."""
    UNPREPARED = "unprepared"
    """An older one. Statements are prepared and planned anew each time, which is slower."""


class WebhookTargets(Enum):
    """Where webhooks may lead."""

    PUBLIC = "public"
    """By https to the public internet."""
    ANY = "any"
    """Anywhere, also by http and into the own network: for development and tests, never in production."""


class Settings(BaseSettings):
    """What the environment says. A wrong value is refused at the start, by name."""

    model_config = SettingsConfigDict(env_prefix="LOYALTY_", extra="ignore", frozen=True)

    database_url: str | None = Field(default=None, validation_alias="DATABASE_URL")
    """Where Postgres is. With DATABASE_OWNER_URL, the login of the service: a member of the role loyalty_service."""
    database_owner_url: str | None = Field(default=None, validation_alias="DATABASE_OWNER_URL")
    """The owner of the tables, for `migrate`. Without it DATABASE_URL is the owner and the service takes the role."""
    redis_url: str | None = Field(default=None, validation_alias="REDIS_URL")
    """Where Redis or Valkey is. Recent answers of commands and rate limits are kept there."""
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    data_dir: Path = CHECKOUT / ".loyalty"
    """Where the embedded servers keep their data, and keys.json."""
    failed_logins_per_minute: int = Field(default=20, ge=1)
    """How many calls without a valid key an address may make, before it is told to wait."""
    wrong_codes_per_minute: int = Field(default=600, ge=1)
    """How many codes that there are not, of vouchers and referrals, a key may ask for, before it is told to wait."""
    wrong_codes_of_address_per_minute: int = Field(default=1200, ge=1)
    """How many of them all keys of a program may ask for from one address, before it is told to wait."""
    public_url: str | None = Field(default=None, pattern="^https?://[!-~]+$")
    """Where the service is found from outside, for links to customers' pages; without it as it was called."""
    demo: str | None = None
    """The code of a test program whose demo shop is served under /demo; `./run` sets it for the one that it makes."""
    trusted_proxies: str = ""
    """Whose `X-Forwarded-For` tells the address of a caller: addresses and networks, with commas between; `*` for all.

    Without it the address is that of the connection.
    """
    pooled: Pooler = Pooler.NONE
    """Whether DATABASE_URL leads to a pooler in transaction mode; then the login itself must bring its settings."""
    webhook_targets: WebhookTargets = WebhookTargets.PUBLIC
    """Where webhooks may lead: `public`, or `any` for development."""
    metrics: bool = True
    """Serve /metrics. It asks for no key: keep it inside, or switch it off by LOYALTY_METRICS=off."""
    metrics_folder: Path | None = None
    """Where processes behind one port put their numbers together; `serve` sets it for those that it starts."""
    worker_port: int | None = Field(default=None, ge=1, le=65535)
    """Where a worker serves /metrics, /livez and /readyz, on the same host; without it, nowhere."""
    build: str = "unknown"
    """What this is, for /metrics: a version or a commit, set where an image is built."""
