import hashlib
import re

import pytest

from factmix.data.fetch import fetch
from factmix.data.sources import SOURCES


def test_every_source_has_a_checksum_a_licence_and_a_file_of_its_own():
    for source in SOURCES.values():
        if "githubusercontent" in source.url:
            assert re.search(r"/[0-9a-f]{40}/", source.url)
        assert re.fullmatch(r"[0-9a-f]{64}", source.sha256)
        assert source.licence
    assert len({source.file for source in SOURCES.values()}) == len(SOURCES)


@pytest.mark.parametrize(
    "name", ["vitaminc_real", "climate_fever", "fever_paper_dev", "fever_symmetric"]
)
def test_the_files_of_the_mirror_are_the_registered_ones(mirror, name):
    path = fetch(name)
    assert path.parent == mirror
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SOURCES[name].sha256
