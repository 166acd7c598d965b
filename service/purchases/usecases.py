"""What can be done with purchases: reporting many at once, reading, confirming."""

from typing import Final, TypeAlias

from service.customers.rules import Balance, CustomerErased
from service.kernel.errors import NotFound
from service.platform.claims import ClaimKind, content_hash
from service.platform.statements import Db
from service.points import usecases as points
from service.points.facts import Accepted, Draft, Facts, Outcome
from service.purchases import store
from service.purchases.rules import Earnings, Purchase, PurchaseConflict, book, check_purchase, normalised
from service.purchases.store import Recorded

PurchaseDraft: TypeAlias = Draft[Purchase]
AcceptedPurchase: TypeAlias = Accepted[Purchase, Earnings]
PurchaseOutcome: TypeAlias = Outcome[Purchase, Earnings]

PURCHASES: Final = Facts(
    kind=ClaimKind.PURCHASE,
    conflict=PurchaseConflict,
    event="purchase.rewarded",
    check=check_purchase,
    decide=book,
    adding=store.adding,
    answered=store.earnings,
)


def draft(purchase: Purchase, *, randomness: int) -> PurchaseDraft:
    """Prepare a reported purchase. Raises Invalid."""
    normal = normalised(purchase)
    return Draft(normal.id, normal.customer_id, normal, content_hash(normal), randomness)


async def read(db: Db, *, program_id: int, purchase_id: str) -> Recorded:
    """Read a purchase by the caller's id. Raises NotFound."""
    recorded = await store.read(db, program_id=program_id, purchase_id=purchase_id)
    if recorded is None:
        raise NotFound
    return recorded


async def read_of_customer(db: Db, *, program_id: int, purchase_id: str) -> Recorded:
    """Read a purchase whose customer is there. Raises NotFound, CustomerErased."""
    recorded = await read(db, program_id=program_id, purchase_id=purchase_id)
    if recorded.is_erased:
        raise CustomerErased
    return recorded


async def confirm(db: Db, *, program_id: int, purchase_id: str, entropy: int) -> tuple[Recorded, Balance]:
    """Make available what a purchase earned, if it is pending. Raises NotFound, CustomerErased, PointsLapsed."""
    recorded = await read_of_customer(db, program_id=program_id, purchase_id=purchase_id)
    balance = await points.confirm(
        db,
        program_id=program_id,
        customer_id=recorded.purchase.customer_id,
        owner=recorded.owner,
        lot_id=recorded.row_id,
        entropy=entropy,
    )
    return recorded, balance
