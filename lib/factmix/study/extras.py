"""What to say when a package is missing that only an extra of the project installs."""

import re
from importlib import metadata


def explain_missing(module: str) -> str | None:
    """The remedy for a module that cannot be imported, or None if no extra would bring it.

    Args:
        module: its full name, such as `torch.nn`; its package is named like the requirement.
    """
    package = module.partition(".")[0]
    try:
        requirements = metadata.requires("factmix") or []
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return None
    for requirement in requirements:
        name, _, condition = requirement.partition(";")
        extra = re.search(r"extra == ['\"](\w+)['\"]", condition)
        if extra and re.split(r"\W", name)[0] == package:
            return (
                f"this needs the package {package}, which is not installed;"
                f" install it with: pip install 'factmix[{extra[1]}]'"
            )
    return None
