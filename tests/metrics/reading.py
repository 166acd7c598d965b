"""Reading /metrics as Prometheus does."""

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Scrape:
    """All samples of one answer."""

    text: str
    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    def value(self, name: str, **labels: str) -> float:
        """Add up the samples of a name that have these labels, whatever others they have; 0 without any."""
        wanted = set(labels.items())
        return sum(value for (each, told), value in self.samples.items() if each == name and wanted <= told)

    def labels(self, name: str, label: str) -> set[str]:
        """Return all values of a label of a name."""
        return {dict(told)[label] for each, told in self.samples if each == name}


async def scrape(client: aiohttp.ClientSession, address: str) -> Scrape:
    """Read the numbers, on a connection of its own so that any process may answer."""
    async with client.get(f"{address}/metrics", headers={"Connection": "close"}) as answer:
        assert answer.status == 200
        text = await answer.text()
    samples = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    return Scrape(text, samples)
