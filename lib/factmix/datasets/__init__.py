"""The datasets that a study may name; a new one is a file here and a line below."""

from collections.abc import Callable

from factmix.datasets.climate_fever import climate_fever
from factmix.datasets.embedded import debate, encyclopedia, revision
from factmix.datasets.vitaminc import vitaminc
from factmix.examples import Example

DATASETS: dict[str, Callable[[], list[Example]]] = {
    "encyclopedia": encyclopedia,
    "revision": revision,
    "debate": debate,
    "vitaminc": vitaminc,
    "climate_fever": climate_fever,
}
