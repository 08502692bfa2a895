"""What to say when a module is missing: of an extra of the project, or of Unix."""

import re
from importlib import metadata

UNIX = ("fcntl", "resource")  # modules of Python that Windows does not have


def explain_missing(module: str) -> str | None:
    """The remedy for a module that cannot be imported, or None if neither is the cause.

    Args:
        module: its full name, such as `torch.nn`; its package is named like the requirement.
    """
    if module in UNIX:
        return (
            f"this needs Python's module {module}, which Windows does not have; use Linux,"
            " macOS, or on Windows the Windows Subsystem for Linux (WSL)"
        )
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
