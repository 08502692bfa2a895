"""The words of the embedded world: invented names, and ways to state numbers and effects.

Everything is invented for this project. A name is a combination of parts. `domains` assigns each
combination either to the base model's pretraining or to the study, never to both.
"""

from dataclasses import dataclass

# fmt: off
GIVEN = (
    "Adra Bela Corin Dalia Edwin Fenna Gerrit Hanno Ilse Joran Katrin Lasse Mirel Nadia Odo "
    "Petra Quill Rasmus Selma Tovin Ursel Vesna Wendel Xenia Yorick Zelda Alwin Britta Cosmo "
    "Dorrit Emeric Frida Goran Helge Ivo Jutta Kaspar Linnea Magnus Nils"
).split()
FAMILY = (
    "Abelard Brandt Castell Dorn Eklund Falk Grau Hollis Ingram Jansen Keller Lund Marsh "
    "Norling Ostrow Pell Quist Ravn Storm Thorne Ulrich Vance Wren Yates Zell Arden Birk "
    "Crane Drury Elling Frost Garrow Hale Irving Joss Kemp Lark Mott Nash Orme Alder Beck "
    "Coyle Dunn Eyre Finch Gale Hurst Ibsen Judd Kerr Lowe Moss Noble Oakes Pike Reeve Sharp "
    "Tate Voss"
).split()
STEMS = (
    "Velda Orrin Tavira Marn Kestel Lorvane Sabrin Duna Halmar Ister Pravia Neska Golan "
    "Treska Umbra Calder Wexa Yarrow Brenna Fosk Selvik Arlo Merrow Tolna Ravenna Skara "
    "Lindow Ostra Pellin Cavan Aldo Bexley Corda Drennan Elva Fintra Gorse Hinda Ivara Jolan "
    "Kirrin Lasko Mendra Nolva"
).split()
MODIFIERS = "Port Upper Lower Old New Mount Lake Fort North South East West".split()
ORGANISATIONS = (
    "Museum Orchestra Institute Brewery Shipyard Academy Theatre Railway Foundry Observatory"
).split()
PROJECTS = "dam tunnel toll harbour windfarm quarry tramway curfew canal levy".split()

TOWNS = "Almere Bristow Corvin Dunmore Elsby Farrow".split()
DOCTORS = "Abelard Brandt Castell Dorn Eklund Falk".split()
OUTCOMES = (
    "rents noise traffic unemployment pollution flooding crime tourism wages prices"
).split()
# fmt: on


LEADS = (
    "",
    "",
    "",
    "By most accounts ",
    "According to the records ",
    "As is well known ",
    "In the view of historians ",
)


@dataclass(frozen=True)
class Quantity:
    """A number or year about a subject: sentences that state it, and claims that compare it.

    Attributes:
        subjects: the kind of subject: person, place or organisation.
        stated: sentences with "{s}" and the number "{n}".
        compared: claims with "{s}" and "{c}", a phrase such as "more than 40".
        vague: sentences on the same topic that give no number.
    """

    subjects: str
    stated: tuple[str, ...]
    compared: tuple[str, ...]
    vague: tuple[str, ...]


def _counted(subjects: str, noun: str, verb: str, *more: str) -> Quantity:
    return Quantity(
        subjects,
        (
            f"{{s}} {verb} {{n}} {noun}.",
            f"The number of {noun} of {{s}} is {{n}}.",
            f"A recount gave {{s}} {{n}} {noun}.",
            *(form.replace("{x}", "{n}") for form in more),
        ),
        (
            f"{{s}} {verb} {{c}} {noun}.",
            f"There are {{c}} {noun} to the name of {{s}}.",
            *(form.replace("{x}", "{c}") for form in more),
        ),
        (
            f"The {noun} of {{s}} have not been counted.",
            f"{{s}} {verb} many {noun}.",
            f"The {noun} of {{s}} are often talked about.",
        ),
    )


def _dated(subjects: str, event: str, *more: str) -> Quantity:
    return Quantity(
        subjects,
        (
            f"{{s}} {event} in {{n}}.",
            f"In {{n}} {{s}} {event}.",
            f"It was {{n}} when {{s}} {event}.",
            *(form.replace("{x}", "in {n}") for form in more),
        ),
        (
            f"{{s}} {event} {{c}}.",
            f"It was {{c}} that {{s}} {event}.",
            *(form.replace("{x}", "{c}") for form in more),
        ),
        (
            f"{{s}} {event} in a year that is not recorded.",
            f"Nobody knows when {{s}} {event}.",
            f"{{s}} {event} long ago.",
        ),
    )


COUNTS = {
    "novels": _counted("person", "novels", "wrote", "{s} published {x} novels."),
    "medals": _counted("person", "medals", "won", "{x} medals were won by {s}."),
    "goals": _counted("person", "goals", "scored", "{s} reached {x} goals."),
    "patents": _counted("person", "patents", "held", "{x} patents were granted to {s}."),
    "paintings": _counted("person", "paintings", "left", "{x} paintings by {s} are known."),
    "bridges": _counted("place", "bridges", "has", "{x} bridges were built in {s}."),
    "streets": _counted("place", "streets", "has", "{s} is made up of {x} streets."),
    "schools": _counted("place", "schools", "runs", "{x} schools are open in {s}."),
    "wells": _counted("place", "wells", "keeps", "{x} wells were dug in {s}."),
    "members": _counted("organisation", "members", "counts", "{x} members belong to {s}."),
    "rooms": _counted("organisation", "rooms", "has", "{s} is spread over {x} rooms."),
    "workers": _counted("organisation", "workers", "employs", "{x} workers are paid by {s}."),
    "clients": _counted("organisation", "clients", "serves", "{x} clients signed with {s}."),
}
DATES = {
    "birth": _dated("person", "was born", "The birth of {s} was {x}."),
    "marriage": _dated("person", "married", "The wedding of {s} was {x}."),
    "retirement": _dated("person", "retired", "{s} left office {x}."),
    "charter": _dated("place", "received its charter", "The charter of {s} was sealed {x}."),
    "fire": _dated("place", "burned down", "The great fire of {s} was {x}."),
    "opening": _dated("organisation", "opened", "The opening of {s} was {x}."),
    "merger": _dated("organisation", "merged", "The merger of {s} was {x}."),
}
NUMBERS = (10, 49)  # of counts, inclusive
YEARS = (1950, 1989)  # of dates, inclusive
EDITS = ("", "", "", "After the revision: ", "Corrected entry: ", "Updated: ")

RAISES = ("raises", "increases", "pushes up", "adds to", "drives up", "boosts")
LOWERS = ("lowers", "reduces", "cuts", "brings down", "eases", "curbs")
LEAVES = ("does not change", "has no effect on", "makes no difference to")
SOURCES = (
    "A survey found that {e}.",
    "The {m} Institute reports that {e}.",
    "In the opinion of Doctor {f}, {e}.",
    "Figures from {m} show that {e}.",
    "A study led by Doctor {f} concludes that {e}.",
    "Newspapers in {m} write that {e}.",
    "Officials in {m} say that {e}.",
    "According to Doctor {f}, {e}.",
    "Measurements suggest that {e}.",
    "Residents of {m} report that {e}.",
)
ASIDES = (
    "{s} was discussed by the council of {m}.",
    "Doctor {f} wrote a book about {s}.",
    "The cost of {s} was shared with {m}.",
    "A vote on {s} was held in {m}.",
    "Doctor {f} was the first to propose {s}.",
    "Photographs of {s} hang in the town hall of {m}.",
    "The debate on {o} has gone on for years in {m}.",
    "Doctor {f} has studied {o} since youth.",
)
