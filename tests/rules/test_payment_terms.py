"""What may be agreed of paying early: how it is written, what contradicts itself."""

from typing import Any

import msgspec
import pytest

from service.kernel.amounts import BOUND
from service.kernel.errors import Invalid
from service.programs.payment_terms import (
    MOST_STEPS,
    CountFrom,
    DiscountStep,
    EarlyPayment,
    NoDiscount,
    Partial,
    PaymentMode,
    PaymentTerms,
    PointsForDiscount,
    StepTerms,
    TaxMode,
    Tolerance,
    YearlyRateTerms,
    check_early_payment,
    check_terms,
)
from service.programs.working_days import HolidayCalendar

STEP = {"days": 7, "basis_points": 300}


def decoded(json: str) -> PaymentTerms:
    return msgspec.json.decode(json, type=PaymentTerms)


def steps(*several: dict[str, Any]) -> PaymentTerms:
    return msgspec.convert({"kind": "steps", "steps": several}, PaymentTerms)


@pytest.mark.parametrize(
    ("json", "terms"),
    [
        (
            '{"kind":"steps","steps":[{"days":7,"basis_points":300},{"days":14,"basis_points":200}],"net_days":30}',
            StepTerms(steps=(DiscountStep(7, 300), DiscountStep(14, 200)), net_days=30),
        ),
        (
            '{"kind":"yearly_rate","basis_points":1800,"year_days":360}',
            YearlyRateTerms(basis_points=1800, year_days=360),
        ),
        ('{"kind":"yearly_rate","basis_points":1800}', YearlyRateTerms(basis_points=1800, year_days=365)),
        ('{"kind":"none"}', NoDiscount()),
        ('{"kind":"none","net_days":30}', NoDiscount(net_days=30)),
        (
            (
                '{"kind":"steps","steps":[{"days":0,"amount":500}],"base":10000,"tax_mode":"mixed","partial":"full_only",'
                '"mode":"points","count_from":"end_of_month","grace_days":3,"tolerance":{"days":1,"amount":5}}'
            ),
            StepTerms(
                steps=(DiscountStep(0, amount=500),),
                base=10_000,
                tax_mode=TaxMode.MIXED,
                partial=Partial.FULL_ONLY,
                mode=PaymentMode.POINTS,
                count_from=CountFrom.END_OF_MONTH,
                grace_days=3,
                tolerance=Tolerance(1, 5),
            ),
        ),
    ],
)
def test_terms_are_written_like_this(json: str, terms: PaymentTerms) -> None:
    assert decoded(json) == terms
    assert decoded(msgspec.json.encode(terms).decode()) == terms
    check_terms(terms, "/terms")


def test_what_is_not_said_is_as_usual() -> None:
    usual = {
        "net_days": None,
        "base": None,
        "tax_mode": TaxMode.INCLUDED,
        "partial": Partial.PROPORTIONAL,
        "mode": PaymentMode.DISCOUNT,
        "count_from": CountFrom.ISSUED_ON,
        "grace_days": 0,
        "tolerance": Tolerance(0, 0),
    }
    assert msgspec.structs.asdict(decoded('{"kind":"none"}')) == usual


@pytest.mark.parametrize(
    ("content", "at"),
    [
        ({"steps": [STEP]}, "kind"),
        ({"kind": "cash"}, "$.kind"),
        ({"kind": "steps"}, "steps"),
        ({"kind": "steps", "steps": []}, "$.steps"),
        ({"kind": "steps", "steps": [{"days": day, "basis_points": 1} for day in range(MOST_STEPS + 1)]}, "$.steps"),
        ({"kind": "steps", "steps": [{"basis_points": 300}]}, "days"),
        ({"kind": "steps", "steps": [{**STEP, "days": -1}]}, "$.steps[0].days"),
        ({"kind": "steps", "steps": [{**STEP, "days": 3_651}]}, "$.steps[0].days"),
        ({"kind": "steps", "steps": [{**STEP, "basis_points": 0}]}, "$.steps[0].basis_points"),
        ({"kind": "steps", "steps": [{**STEP, "basis_points": 10_001}]}, "$.steps[0].basis_points"),
        ({"kind": "steps", "steps": [{**STEP, "basis_points": 2.5}]}, "$.steps[0].basis_points"),
        ({"kind": "steps", "steps": [{"days": 7, "amount": 0}]}, "$.steps[0].amount"),
        ({"kind": "steps", "steps": [{"days": 7, "amount": BOUND + 1}]}, "$.steps[0].amount"),
        ({"kind": "steps", "steps": [{**STEP, "percent": 3}]}, "$.steps[0]"),
        ({"kind": "steps", "steps": [STEP], "year_days": 360}, "year_days"),
        ({"kind": "yearly_rate"}, "basis_points"),
        ({"kind": "yearly_rate", "basis_points": 0}, "$.basis_points"),
        ({"kind": "yearly_rate", "basis_points": 100_001}, "$.basis_points"),
        ({"kind": "yearly_rate", "basis_points": 1, "year_days": 359}, "$.year_days"),
        ({"kind": "yearly_rate", "basis_points": 1, "year_days": 367}, "$.year_days"),
        ({"kind": "none", "steps": [STEP]}, "steps"),
        ({"kind": "none", "net_days": 3_651}, "$.net_days"),
        ({"kind": "none", "base": 0}, "$.base"),
        ({"kind": "none", "tax_mode": "net"}, "$.tax_mode"),
        ({"kind": "none", "grace_days": 61}, "$.grace_days"),
        ({"kind": "none", "tolerance": {"days": 61}}, "$.tolerance.days"),
        ({"kind": "none", "tolerance": {"amount": -1}}, "$.tolerance.amount"),
    ],
)
def test_what_is_out_of_its_bounds_is_refused_where_it_stands(content: dict[str, Any], at: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(content, PaymentTerms)
    assert f"`{at}`" in str(refused.value)


@pytest.mark.parametrize(
    ("terms", "pointer", "reason"),
    [
        (steps({"days": 7}), "/terms/steps/0", "exclusive"),
        (steps({**STEP, "amount": 500}), "/terms/steps/0", "exclusive"),
        (steps(STEP, {"days": 14, "basis_points": 200, "amount": 500}), "/terms/steps/1", "exclusive"),
        (steps(STEP, STEP), "/terms/steps/1/days", "order"),
        (steps(STEP, {"days": 14, "amount": 5}, {"days": 6, "basis_points": 1}), "/terms/steps/2/days", "order"),
    ],
)
def test_terms_that_contradict_themselves_are_refused_where_they_do(
    terms: PaymentTerms, pointer: str, reason: str
) -> None:
    with pytest.raises(Invalid) as refused:
        check_terms(terms, "/terms")
    assert (refused.value.pointer, refused.value.reason) == (pointer, reason)
    with pytest.raises(Invalid) as refused:
        check_early_payment(EarlyPayment(terms=terms), "/settings/early_payment")
    assert refused.value.pointer == f"/settings/early_payment{pointer}"


def test_steps_may_be_of_both_kinds_and_need_not_fall() -> None:
    check_terms(steps({"days": 0, "basis_points": 1}, {"days": 1, "amount": 5}, {"days": 2, "basis_points": 2}), "")


def test_a_program_says_what_holds_where_nothing_else_was_agreed() -> None:
    policy = msgspec.convert(
        {
            "terms": {"kind": "none", "net_days": 30},
            "calendar": {"country": "DE", "subdivision": "BY"},
            "points": {"points": 2, "amount": 100},
            "year_days": 360,
        },
        EarlyPayment,
    )
    assert policy == EarlyPayment(NoDiscount(net_days=30), HolidayCalendar("DE", "BY"), PointsForDiscount(2, 100), 360)
    check_early_payment(policy, "/settings/early_payment")
    check_early_payment(EarlyPayment(), "/settings/early_payment")
