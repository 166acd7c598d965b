"""The words in which terms are told, in each language that has some. Pure.

Words in braces are put in: `{discount}` is a share or an amount, `{when}` one of the phrases for it. Those that end
with a full stop are sentences.
"""

from collections.abc import Mapping
from typing import Final

import msgspec


class Phrases(msgspec.Struct, frozen=True, kw_only=True):
    """The phrases of a language.

    `first` and `further` tell steps, `yearly` a rate, `rest` the full price; `points_...` the same where points are
    given instead. `whole` and `whole_when` are for terms without a discount. `day_0` is for within 0 days, `month_end`
    likewise where days count from the end of the month.
    """

    first: str
    further: str
    yearly: str
    rest: str
    points_first: str
    points_further: str
    points_yearly: str
    points_rest: str
    whole: str
    whole_when: str
    within_day: str
    within_days: str
    by: str
    day_0: str
    month_end: str
    from_month_end: str
    untaxed: str
    base: str
    excluded: str
    mixed: str
    full_only: str
    comma: str = ", "
    semicolon: str = "; "
    stop: str = "."
    space: str = " "


_ENGLISH: Final = Phrases(
    first="{discount} off when paid {when}",
    further="{discount} {when}",
    yearly="{discount} a year off for each day paid before the due date (a year of {days} days)",
    rest="in full {when}",
    points_first="Points instead of {discount} off when paid in full {when}",
    points_further="{discount} {when}",
    points_yearly=(
        "Points instead of {discount} a year off for each day paid in full before the due date (a year of {days} days)"
    ),
    points_rest="payable {when}",
    whole="Payable in full; no discount for paying early.",
    whole_when="Payable in full {when}; no discount for paying early.",
    within_day="within 1 day",
    within_days="within {days} days",
    by="by {date}",
    day_0="on the day of the invoice",
    month_end="by the end of the month of the invoice",
    from_month_end="Days count from the end of the month of the invoice.",
    untaxed="{amount} (before tax)",
    base="The percentage is of {amount}.",
    excluded="The discount is taken off the price before tax; the tax stays as invoiced.",
    mixed="The discount is taken off the price before tax; the tax is reduced on the invoice already.",
    full_only="Of several payments, only the one that closes the invoice counts.",
)

_GERMAN: Final = Phrases(
    first="{discount} Skonto bei Zahlung {when}",
    further="{discount} {when}",
    yearly="{discount} Skonto pro Jahr für jeden Tag, den vor Fälligkeit gezahlt wird (das Jahr zu {days} Tagen)",
    rest="ohne Abzug {when}",
    points_first="Punkte statt {discount} Skonto bei vollständiger Zahlung {when}",
    points_further="{discount} {when}",
    points_yearly=(
        "Punkte statt {discount} Skonto pro Jahr für jeden Tag, den vor Fälligkeit vollständig gezahlt wird (das Jahr "
        "zu {days} Tagen)"
    ),
    points_rest="zahlbar {when}",
    whole="Zahlbar ohne Abzug.",
    whole_when="Zahlbar {when} ohne Abzug.",
    within_day="innerhalb eines Tages",
    within_days="innerhalb von {days} Tagen",
    by="bis zum {date}",
    day_0="am Rechnungstag",
    month_end="bis zum Ende des Rechnungsmonats",
    from_month_end="Die Tage zählen ab dem Ende des Rechnungsmonats.",
    untaxed="{amount} (netto)",
    base="Der Prozentsatz gilt für {amount}.",
    excluded="Das Skonto mindert nur den Nettopreis; die Steuer bleibt wie in Rechnung gestellt.",
    mixed="Das Skonto mindert nur den Nettopreis; die Steuer ist auf der Rechnung schon gemindert.",
    full_only="Bei mehreren Zahlungen zählt nur die, die die Rechnung ausgleicht.",
)

_SIMPLIFIED_CHINESE: Final = Phrases(
    first="{when}付款可享{discount}现金折扣",
    further="{when}付款可享{discount}",
    yearly="在到期日前付款，按提前天数享年利率{discount}的现金折扣（一年按{days}天计）",
    rest="{when}付清全款",
    points_first="{when}付清全款可获积分，以代替{discount}现金折扣",
    points_further="{when}则代替{discount}",
    points_yearly="在到期日前付清全款可获积分，以代替按提前天数计算的年利率{discount}的现金折扣（一年按{days}天计）",
    points_rest="{when}应付清",
    whole="应付全款，提前付款无折扣。",
    whole_when="{when}付清全款，提前付款无折扣。",
    within_day="1天内",
    within_days="{days}天内",
    by="{date}（含）前",
    day_0="开票当日",
    month_end="开票当月月底前",
    from_month_end="天数自开票当月月底起算。",
    untaxed="{amount}（不含税）",
    base="百分比按{amount}计算。",
    excluded="折扣只减少不含税价款，税额仍以发票为准。",
    mixed="折扣只减少不含税价款，发票上的税额已相应减少。",
    full_only="分次付款时，只有结清发票的那一笔计入。",
    comma="，",
    semicolon="；",
    stop="。",
    space="",
)

_TRADITIONAL_CHINESE: Final = Phrases(
    first="{when}付款可享{discount}現金折扣",
    further="{when}付款可享{discount}",
    yearly="於到期日前付款，依提前天數享年利率{discount}的現金折扣（一年以{days}天計）",
    rest="{when}付清全額",
    points_first="{when}付清全額可獲點數，以代替{discount}現金折扣",
    points_further="{when}則代替{discount}",
    points_yearly="於到期日前付清全額可獲點數，以代替依提前天數計算之年利率{discount}的現金折扣（一年以{days}天計）",
    points_rest="{when}應付清",
    whole="應付全額，提前付款無折扣。",
    whole_when="{when}付清全額，提前付款無折扣。",
    within_day="1天內",
    within_days="{days}天內",
    by="{date}（含）前",
    day_0="發票開立當日",
    month_end="發票開立當月月底前",
    from_month_end="天數自發票開立當月月底起算。",
    untaxed="{amount}（未稅）",
    base="百分比以{amount}計算。",
    excluded="折扣僅減少未稅價款，稅額仍以發票為準。",
    mixed="折扣僅減少未稅價款，發票上的稅額已相應減少。",
    full_only="分次付款時，僅結清發票的那一筆計入。",
    comma="，",
    semicolon="；",
    stop="。",
    space="",
)

LANGUAGES: Final[Mapping[str, Phrases]] = {
    "en": _ENGLISH,
    "de": _GERMAN,
    "zh_Hans": _SIMPLIFIED_CHINESE,
    "zh_Hant": _TRADITIONAL_CHINESE,
}
"""By their names in CLDR, without a region."""
