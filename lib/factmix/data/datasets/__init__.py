"""The datasets that a study may name; a new one is a file here and a line below."""

from collections.abc import Callable, Sequence

from factmix.data.datasets.climate_fever import climate_fever
from factmix.data.datasets.fever import fever, fever_train
from factmix.data.datasets.vitaminc import vitaminc, vitaminc_full
from factmix.data.pool import DataError, Pool
from factmix.organism.domains import debate, encyclopedia, revision
from factmix.study.examples import Example
from factmix.study.spec import Study

# A dataset that uses all its rows returns examples; one that cannot says how many it left out.
DATASETS: dict[str, Callable[[], Sequence[Example] | Pool]] = {
    "encyclopedia": encyclopedia,
    "revision": revision,
    "debate": debate,
    "fever": fever,
    "fever_train": fever_train,
    "vitaminc": vitaminc,
    "vitaminc_full": vitaminc_full,
    "climate_fever": climate_fever,
}

# The files of `sources.SOURCES` that a dataset is read from; the others ship with the project.
FILES = {
    "fever": ("fever_paper_dev", "fever_wiki"),
    "fever_train": ("fever_train", "fever_wiki"),
    "vitaminc": ("vitaminc_real",),
    "vitaminc_full": ("vitaminc",),
    "climate_fever": ("climate_fever",),
}


def check_known(study: Study) -> None:
    """Stops with a DataError when a study names a dataset that is none of `DATASETS`."""
    for name in study.datasets:
        if name not in DATASETS:
            raise DataError(
                f"study {study.name}: datasets.{name}: there is no such dataset;"
                f" expected one of: {', '.join(sorted(DATASETS))}"
            )


def load(name: str) -> Pool:
    """A dataset's examples, and what was left out of them."""
    found = DATASETS[name]()
    return found if isinstance(found, Pool) else Pool(found)
