"""Public data files: their addresses and checksums.

The project does not contain the files; `fetch` takes them from a mirror, or downloads them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One data file.

    Attributes:
        url: its address, at a fixed commit where possible.
        sha256: of its content, in hexadecimal.
        licence: under which its authors publish it.
        size: in bytes, where known.
        name: of the local file; by default the last part of the address.
    """

    url: str
    sha256: str
    licence: str
    size: int | None = None
    name: str | None = None

    @property
    def file(self) -> str:
        return self.name or self.url.rsplit("/", 1)[1]


# The checksums of vitaminc, fever_train and fever_wiki are those that several independent projects
# have published for these addresses. The others were computed from downloaded files.
SOURCES = {
    "vitaminc": Source(
        url="https://raw.githubusercontent.com/TalSchuster/talschuster.github.io/"
        "152c9639f1e33ca295d0776b618c17884088f72f/static/vitaminc.zip",
        sha256="49d82dc1690cbee420d18e2c26f687a7937710bb211845d2571430dfd4dc0337",
        licence="CC BY-SA 3.0",
    ),
    "vitaminc_real": Source(
        url="https://raw.githubusercontent.com/TalSchuster/talschuster.github.io/"
        "37794b13a385da92147a407dc670f0af236188cd/static/vitaminc_real.zip",
        sha256="04cce67d000a61fd83885d68924210dd08f3d0ac91fde9f5a4b0bfb768339418",
        licence="CC BY-SA 3.0",
        size=1_644_623,
    ),
    "fever_symmetric": Source(
        url="https://raw.githubusercontent.com/TalSchuster/talschuster.github.io/"
        "7bc16c189306f5fe112fae38604a6bb6a1b71ec7/static/vitaminc_baselines/fever_symmetric.zip",
        sha256="f9355f0ba824b2e8cf7caadc41b2e69304e3d4d611628a9ec68999464a0cf7ff",
        licence="CC BY-SA 3.0",
        size=106_121,
    ),
    "climate_fever": Source(
        url="https://raw.githubusercontent.com/tdiggelm/climate-fever-dataset/"
        "336f0a46c98920a6f40926385ce71ba877a7b863/dataset/climate-fever.jsonl",
        sha256="8a4b9032d861be482ffb49dddfd283ffa6089e654f1e968040011882c5eb6e0b",
        licence="none stated by its authors; the evidence is from Wikipedia (CC BY-SA 3.0)",
        size=3_152_039,
    ),
    "fever_train": Source(
        url="https://fever.ai/download/fever/train.jsonl",
        sha256="eba7e8f87076753f8494718b9a857827af7bf73e76c9e4b75420207d26e588b6",
        licence="CC BY-SA 3.0",
        size=33_024_303,
        name="fever_train.jsonl",
    ),
    "fever_paper_dev": Source(
        url="https://fever.ai/download/fever/paper_dev.jsonl",
        sha256="4cb464f53160f6a262aec17c60714125f773670b35eefbb0bb20a556b1847c36",
        licence="CC BY-SA 3.0",
        size=2_168_704,
        name="fever_paper_dev.jsonl",
    ),
    "fever_wiki": Source(
        url="https://fever.ai/download/fever/wiki-pages.zip",
        sha256="4b06d95da6adf7fe02d2796176c670dacccb21348da89cba4c50676ab99665f2",
        licence="CC BY-SA 3.0",
        size=1_713_485_474,
    ),
}


# The answers and logs of the published study. The checksums are of copies. For a third of the
# addresses the size was checked against the repository's index; the others follow the same naming.
_RELEASED = (
    "https://raw.githubusercontent.com/pranavc28/self-awareness-grpo/"
    "d6f221e8b8275bed914713870ae652a7bb5f498e/"
)
SOURCES |= {
    f"published/{name}": Source(
        url=f"{_RELEASED}{place}",
        sha256=checksum,
        licence="none stated by its author",
        size=size,
        name=f"published/{name}.json",
    )
    for name, place, checksum, size in (
        (
            "control/fever",
            "fever_control_results.json",
            "a19df407eed3dc85094dbd862b59854d2343ce4905749b60d0eba5872768b9f1",
            699_508,
        ),
        (
            "control/vitaminc",
            "vitaminc_control_results.json",
            "3ef28ef816770a3af8a702746ceefce43871c19667dced3f99d82ad374711b36",
            559_060,
        ),
        (
            "control/climatefever",
            "climatefever_control_results.json",
            "1919ee3270dc3e6a9608fa33abed2e96d6db3fe10d7355cf49af9a8887fa2d54",
            1_471_393,
        ),
        (
            "control/training_metrics",
            "training_metrics_format_only.json",
            "7bc4f4e344fa93f0a1f32aeb90531f0e7747cf6bfeb0dc3bd6c1b690ffc22588",
            7_719,
        ),
        (
            "hard_weighted/fever",
            "best_mixed%203%20datatset%20training/fever_grpo_results.json",
            "e1810a863c5a70e1c28bf39ab577f42678bde40fbb202a7ff2e3442173d0e71a",
            616_442,
        ),
        (
            "hard_weighted/vitaminc",
            "best_mixed%203%20datatset%20training/vitaminc_grpo_results.json",
            "45a82d7bcae5f1b0bc9887a109591b3abfc2d9ec72e85ba93cd54999efb26cce",
            466_434,
        ),
        (
            "hard_weighted/climatefever",
            "best_mixed%203%20datatset%20training/climatefever_grpo_results.json",
            "0eea6b49bd0938aa730cc2510a00abecb2052517f7d2932975b9612c9fffdbe8",
            1_326_301,
        ),
        (
            "hard_weighted/training_metrics",
            "best_mixed%203%20datatset%20training/training_metrics.json",
            "f294e70c95a0024b973e2e2b8f4938c0e2f88f0b2422194c39fb75e5e596c91a",
            179_575,
        ),
        (
            "balanced/fever",
            "worse%203%20mixed%20dataset%20training/fever_grpo_results.json",
            "afd84bf10fd2fbd17e3b41c1db5dcde3bdbf84725736f86e0ae3bfc1615c5d0e",
            616_514,
        ),
        (
            "balanced/vitaminc",
            "worse%203%20mixed%20dataset%20training/vitaminc_grpo_results.json",
            "b728a9882ad86b318488576bcf10ee9fc2dcacfffc56785c779d1fd45735e6c7",
            466_862,
        ),
        (
            "balanced/climatefever",
            "worse%203%20mixed%20dataset%20training/climatefever_grpo_results.json",
            "613ae639300fb70226917726632257555f381393ef0b8f171f5001da2811e321",
            1_327_245,
        ),
        (
            "balanced/training_metrics",
            "worse%203%20mixed%20dataset%20training/training_metrics.json",
            "b2fe7c1b9261e890af6f17dadb91404633d5eb5d76e50cfba4e0f4bd87157d7d",
            50_324,
        ),
        (
            "hard_only/fever",
            "two%20sets%20training%20dataset/fever_grpo_results.json",
            "867c591199bbdfb72961fdef493cdcace803a3d0817c7d6c0ed86c53cd075386",
            615_458,
        ),
        (
            "hard_only/vitaminc",
            "two%20sets%20training%20dataset/vitaminc_grpo_results.json",
            "4dd238c29995e6dcf0f0f31ad77d628224d71871b0d2c2e7b9337c58d18ddae0",
            464_814,
        ),
        (
            "hard_only/climatefever",
            "two%20sets%20training%20dataset/climatefever_grpo_results.json",
            "ffdba11d1f7e4f19216cfc8e4840abd6f95401913f207eb981fa5f069ee6f8dc",
            1_323_977,
        ),
        (
            "hard_only/training_metrics",
            "two%20sets%20training%20dataset/training_metrics.json",
            "e9c727cfd85c8613c60bd7704501629415d23a1f91162f4646f2628ba1ea0ee3",
            164_911,
        ),
    )
}
