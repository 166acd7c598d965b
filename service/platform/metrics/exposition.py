"""The numbers as Prometheus reads them: its text format, or OpenMetrics where that is asked for."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from service.platform.metrics.process import Numbers, of_system
from service.platform.metrics.values import LEVELS, TOTALS, Counter, Histogram, Series, Snapshot, added


def write(numbers: Numbers, accept: str) -> tuple[bytes, str]:
    """Return the numbers of all processes and the media type, for an `Accept` header."""
    encode, media_type = choose_encoder(accept)
    return encode(_Families(numbers.all())), media_type


class _Families(Collector):
    """What the library writes, made from snapshots."""

    def __init__(self, snapshots: list[tuple[str, Snapshot]]) -> None:
        self._snapshots = snapshots

    def collect(self) -> Iterator[Metric]:
        """Give the families, each with all its series."""
        totals = added(each.totals for _, each in self._snapshots)
        for name, metric in TOTALS.items():
            yield _total(metric, totals.get(name, {}))
        for name, gauge in LEVELS.items():
            family = GaugeMetricFamily(name, gauge.meaning, labels=[*gauge.labels, "process"])
            for place, each in self._snapshots:
                for labels, value in each.levels.get(name, {}).items():
                    family.add_metric([*labels, place], value)
            yield family
        for told in of_system():
            yield _of_each(told, ((place, each.levels) for place, each in self._snapshots))


def _total(metric: Counter | Histogram, series: Series) -> Metric:
    if isinstance(metric, Counter):
        counter = CounterMetricFamily(metric.name, metric.meaning, labels=metric.labels)
        for labels, (number,) in series.items():
            counter.add_metric(labels, number)
        return counter
    histogram = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    bounds = [*(str(float(bound)) for bound in metric.bounds), "+Inf"]
    for labels, (total, *counts) in series.items():
        histogram.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), total)
    return histogram


def _of_each(told: Metric, levels: Iterable[tuple[str, Mapping[str, Mapping[tuple[str, ...], float]]]]) -> Metric:
    """Give what the system tells of this process for each process."""
    family = Metric(told.name, told.documentation, told.type)
    for place, each in levels:
        if told.name in each:
            family.add_sample(told.samples[0].name, {"process": place}, each[told.name][()])
    return family
