"""The HTTP application: routes, and the life of the parts behind them."""

import gc
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import uvicorn
from litestar import Litestar, Router
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from service.adjustments import handlers as adjustments
from service.adjustments.keeping import AdjustmentsKeeper
from service.customers import handlers as customers
from service.customers.keeping import Keepers
from service.customers.suppressions import handlers as suppressions
from service.customers.suppressions.keeping import SuppressionsKeeper
from service.earning import handlers as earning
from service.earning.keeping import EarningKeeper
from service.events import handlers as events
from service.events.following import Following
from service.invoices import handlers as invoices
from service.invoices import payment_handlers as payments
from service.invoices.keeping import InvoicesKeeper
from service.invoices.report import handlers as early_payment_report
from service.news import KINDS
from service.opening_balances import handlers as opening_balances
from service.opening_balances.keeping import OpeningBalancesKeeper
from service.platform import open_files, telemetry, tracing
from service.platform import redis as redis_client
from service.platform.authentication import Authenticate, Gate
from service.platform.database import Database
from service.platform.embedded.bound_exec import die_with_parent
from service.platform.http import docs, health, problems
from service.platform.http.direct import Direct
from service.platform.http.exchange import Protocol
from service.platform.http.methods import allowing
from service.platform.http.request import ApiRequest, Services
from service.platform.http.shell import Shell
from service.platform.idempotency import Commands, RecentAnswers
from service.platform.metrics.process import Numbers
from service.platform.rate_limits import FailedLogins, RateLimiter, WrongCodes
from service.platform.reporting import Reporting
from service.platform.settings import Settings
from service.points import handlers as points
from service.points.keeping import PointsKeeper
from service.portal import me_handlers as me
from service.portal import session_handlers as sessions
from service.portal.admission import CustomerGate
from service.portal.cors import Cors
from service.portal.demo import handlers as demo_shop
from service.portal.demo.exchanges import Exchanges
from service.portal.keyring import Keyring
from service.portal.pages import handlers as pages
from service.portal.widget import handlers as widget
from service.programs import handlers as programs
from service.programs.catalogue import Catalogue
from service.purchases import activities, transactions
from service.purchases import handlers as purchases
from service.purchases import simulation_handlers as simulations
from service.purchases.booking import Purchases
from service.purchases.keeping import PurchasesKeeper
from service.purchases.referral_report import handlers as referral_report
from service.purchases.simulations import Simulations
from service.purchases.surprise_report import handlers as surprise_report
from service.referrals import handlers as referrals
from service.referrals.asks import handlers as asks
from service.referrals.codes import handlers as customer_referrals
from service.referrals.keeping import ReferralsKeeper
from service.rewards import handlers as rewards
from service.rewards import redemptions
from service.rewards.keeping import RewardsKeeper
from service.surprises import fairness_handlers as fairness
from service.surprises import gift_handlers as surprises
from service.surprises import handlers as campaigns
from service.surprises import stop_handlers as stops
from service.surprises.keeping import SurprisesKeeper
from service.tiers import handlers as tiers
from service.tiers import usecases as tiers_usecases
from service.tiers.balances import Balances
from service.tiers.keeping import TiersKeeper
from service.webhooks import handlers as webhooks
from service.webhooks.keeping import WebhooksKeeper
from service.webhooks.sending import Sender

BODY_BYTES = 64 * 1024
BOUND_TO_PARENT = "LOYALTY_BOUND_TO_PARENT"
"""In the environment of the processes that `serve` starts: the id of the one that started them."""
METRICS_FOLDER = "LOYALTY_METRICS_FOLDER"
"""Likewise: the folder in which they put their numbers together; see `Settings`."""
_COLLECT_AFTER = (50_000, 20, 50)
"""How many new objects, and collections of the younger ones, the collector waits for; 700, 10 and 10 are usual."""
LITERAL_PATHS = {"/v1/purchases/batch": "POST"}


KEEPERS: Final = Keepers(
    (
        PointsKeeper(tiers_usecases.following_of),
        TiersKeeper(),
        SuppressionsKeeper(),
        AdjustmentsKeeper(),
        OpeningBalancesKeeper(),
        ReferralsKeeper(),
        PurchasesKeeper(),
        InvoicesKeeper(),
        EarningKeeper(),
        RewardsKeeper(),
        SurprisesKeeper(),
        WebhooksKeeper(),
    )
)
"""What answers for customers' rows, in the order in which it locks: shared rows come last."""


class Parts:
    """Everything behind the routes, made from the settings; opened and closed with the application."""

    def __init__(self, settings: Settings) -> None:
        self.database = Database(settings)
        self.redis = redis_client.connect(settings.redis_url or "redis://127.0.0.1:6379/0")
        self.catalogue = Catalogue(self.database)
        self.limiter = RateLimiter(self.redis)
        failed_logins = FailedLogins(self.redis, per_minute=settings.failed_logins_per_minute)
        self.gate = Gate(self.catalogue, self.limiter, failed_logins)
        keyring = Keyring(self.database, self.catalogue)
        self.customer_gate = CustomerGate(keyring, self.catalogue, self.limiter, failed_logins)
        self.purchases = Purchases(self.database, self.catalogue)
        self.simulations = Simulations(self.database)
        self.balances = Balances(self.database, self.catalogue)
        self.following = Following(self.database)
        self.sender = Sender(settings.webhook_targets)
        commands = Commands(self.database, RecentAnswers(self.redis, self.catalogue.database_identity))
        self.numbers = Numbers(settings.metrics_folder, settings.build)
        self.services = Services(
            self.database,
            self.redis,
            self.catalogue,
            self.purchases,
            self.simulations,
            Reporting(self.database),
            self.balances,
            commands,
            self.numbers,
            KEEPERS,
            KINDS,
            self.following,
            self.sender,
            settings,
            keyring,
            self.customer_gate,
            Exchanges(self.redis),
            WrongCodes(
                self.redis,
                per_minute=settings.wrong_codes_per_minute,
                of_address_per_minute=settings.wrong_codes_of_address_per_minute,
            ),
        )

    async def open(self) -> None:
        """Begin to work. A database that is away stops no start; /readyz tells it."""
        self.numbers.open()
        await self.database.open()
        self.catalogue.open()
        self.limiter.open()
        self.purchases.open()
        self.balances.open()
        self.following.open()

    async def close(self) -> None:
        """Finish what was begun, then close the connections."""
        await self.purchases.close()
        await self.simulations.close()
        await self.balances.close()
        await self.following.close()
        await self.sender.close()
        await self.limiter.close()
        await self.catalogue.close()
        await self.database.close()
        await self.redis.aclose()
        await self.numbers.close()
        await tracing.close()


def routes() -> Router:
    """Collect the routes of `/v1`."""
    return Router(
        "/v1",
        route_handlers=[
            purchases.router,
            activities.router,
            redemptions.router,
            rewards.router,
            earning.earning_rules,
            earning.activity_types,
            simulations.router,
            invoices.router,
            payments.on_invoices,
            payments.router,
            invoices.terms_router,
            early_payment_report.router,
            referrals.router,
            referrals.offers,
            referral_report.router,
            customer_referrals.router,
            asks.router,
            tiers.tiers,
            customers.router,
            sessions.of_customers,
            sessions.signing_keys,
            suppressions.router,
            campaigns.router,
            fairness.router,
            surprises.on_campaigns,
            stops.router,
            surprises.router,
            surprises.of_customers,
            surprise_report.on_campaigns,
            surprise_report.router,
            tiers.balance,
            points.router,
            transactions.router,
            adjustments.router,
            opening_balances.router,
            events.router,
            webhooks.router,
            programs.router,
        ],
        middleware=[Authenticate()],
    )


def create_app(settings: Settings) -> ASGIApp:
    """Put the application together. It connects when it starts, not now."""
    parts = Parts(settings)
    hot = [*purchases.hot_routes(parts.purchases), *tiers.hot_routes(parts.balances)]
    framework = framework_app(parts, metrics=settings.metrics)
    tracing.configure(path_templates(framework))
    app: ASGIApp = Cors(framework, parts.catalogue)
    if settings.trusted_proxies:
        app = cast("ASGIApp", ProxyHeadersMiddleware(cast("Any", app), settings.trusted_proxies))
    return Shell(app, LITERAL_PATHS, Direct(parts.gate, hot, BODY_BYTES))


def framework_app(parts: Parts, *, metrics: bool = True) -> Litestar:
    """Make the application without its shell; the OpenAPI document is made from it."""

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None]:
        await parts.open()
        try:
            yield
        finally:
            await parts.close()

    app = Litestar(
        route_handlers=[
            routes(),
            me.router,
            health.livez,
            health.readyz,
            *([health.metrics] if metrics else []),
            *docs.routes,
            pages.router,
            widget.script,
            demo_shop.router,
        ],
        request_class=ApiRequest,
        request_max_body_size=BODY_BYTES,
        exception_handlers=problems.HANDLERS,
        lifespan=[lifespan],
        before_send=[allowing(LITERAL_PATHS)],
        openapi_config=None,  # service/openapi.py makes the document
        logging_config=None,
    )
    app.state.services = parts.services
    app.state.gate = parts.gate
    app.state.customer_gate = parts.customer_gate
    return app


def path_templates(app: Litestar) -> dict[str, str]:
    """Give the template of each operation's path, by the operation's id."""
    return {
        str(handler.operation_id): route.path_format
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if handler.operation_id is not None
    }


def from_environment() -> ASGIApp:
    """Make the application of a process that is told everything by its environment."""
    telemetry.configure()
    open_files.allow_many()
    parent = os.environ.get(BOUND_TO_PARENT)
    if parent is not None:
        die_with_parent(signal.SIGTERM)  # however that ends: this one would go on and hold the port
        if int(parent) != os.getppid():
            sys.exit("The process that started this one has ended.")  # before the kernel was asked
    app = create_app(Settings())
    spare_the_collector()
    return app


def spare_the_collector() -> None:
    """Let the collector of cycles leave alone what the process began with, and look for new ones rarely.

    A booking makes many small objects and no cycles; looking through all modules again and again cost a tenth of a
    purchase, and the pauses were in its p99.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


def uvicorn_config(settings: Settings, app: ASGIApp | str | None = None, *, processes: int = 1) -> uvicorn.Config:
    """Configure the HTTP server: one way for all who start it."""
    return uvicorn.Config(
        app or create_app(settings),
        factory=isinstance(app, str),
        host=settings.host,
        port=settings.port,
        workers=processes,
        loop="uvloop",
        http=Protocol,
        lifespan="on",
        access_log=False,
        server_header=False,
        log_config=None,
        proxy_headers=False,  # create_app does it, behind the shell: the server looks for the shell
        backlog=2048,
        # Longer than the 60 s of common load balancers: who closes first loses the call that is on its way.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=20,
        # Seconds in which a worker must give a sign of life. One that starts on a busy machine needs more than the
        # usual 5, and would be killed before it has begun, again and again.
        timeout_worker_healthcheck=15,
    )
