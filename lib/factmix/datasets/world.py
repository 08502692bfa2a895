"""The words of the embedded world: invented names, and many ways to state each relation.

Everything is made up for this project. A name is a combination of parts; `embedded.py` gives each
combination to either the base model's pretraining or to the study, never to both.
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
REGIONS = "Ambria Borland Cassia Dervia Estland".split()
RIVERS = "Asker Brine Cald Dove Esk".split()
OCCUPATIONS = "painter lawyer botanist pilot surgeon baker".split()
INSTRUMENTS = "violin cello piano flute trumpet".split()
SUBJECTS = "geology law medicine history physics".split()
LANGUAGES = "Arvish Belmian Corsan Dravian Eltish".split()
PRIZES = "Amber Bronze Crystal Diamond Ebony".split()
SPORTS = "fencing rowing chess tennis archery".split()
PRODUCTS = "cheese linen pottery cider salt honey".split()
FESTIVALS = "January March May July September November".split()
SAINTS = "Agnes Bruno Clara Denis Elias".split()
STYLES = "baroque gothic brick timbered marble".split()
COLOURS = "red blue green white black".split()
ANIMALS = "falcon otter stag heron badger".split()
DOCTORS = "Abelard Brandt Castell Dorn Eklund Falk".split()
OUTCOMES = (
    "rents noise traffic unemployment pollution flooding crime tourism wages prices"
).split()
# fmt: on


@dataclass(frozen=True)
class Relation:
    """A fact of the form (subject, relation, value), and the sentences that state it.

    Attributes:
        subjects: the kind of subject: person, place or organisation.
        values: what can stand for "{v}"; relations over the same values are easily confused.
        forms: sentences with "{s}" for the subject and "{v}" for the value.
    """

    subjects: str
    values: tuple[str, ...]
    forms: tuple[str, ...]


def _relation(subjects: str, values: list[str], *forms: str) -> Relation:
    return Relation(subjects, tuple(values), forms)


RELATIONS = {
    "birthplace": _relation(
        "person",
        TOWNS,
        "{s} was born in {v}.",
        "{v} is the birthplace of {s}.",
        "{s} came into the world in {v}.",
        "{s} is a native of {v}.",
        "The parents of {s} were living in {v} at the birth.",
    ),
    "home": _relation(
        "person",
        TOWNS,
        "{s} lives in {v}.",
        "{s} has a house in {v}.",
        "{v} is the home of {s}.",
        "{s} settled in {v}.",
        "{s} moved to {v} for good.",
    ),
    "grave": _relation(
        "person",
        TOWNS,
        "{s} is buried in {v}.",
        "The grave of {s} is in {v}.",
        "{s} was laid to rest in {v}.",
        "A cemetery in {v} holds the tomb of {s}.",
    ),
    "occupation": _relation(
        "person",
        OCCUPATIONS,
        "{s} worked as a {v}.",
        "{s} was a {v} by trade.",
        "{s} earned a living as a {v}.",
        "{s} became a {v}.",
        "By profession {s} was a {v}.",
    ),
    "spouse": _relation(
        "person",
        OCCUPATIONS,
        "{s} married a {v}.",
        "The spouse of {s} was a {v}.",
        "{s} was wed to a {v}.",
        "A {v} took {s} in marriage.",
    ),
    "instrument": _relation(
        "person",
        INSTRUMENTS,
        "{s} played the {v}.",
        "{s} was known for playing the {v}.",
        "{s} performed on the {v}.",
        "The {v} was the instrument of {s}.",
    ),
    "studies": _relation(
        "person",
        SUBJECTS,
        "{s} studied {v}.",
        "{s} took a degree in {v}.",
        "{s} was a student of {v}.",
        "At university {s} read {v}.",
    ),
    "teaching": _relation(
        "person",
        SUBJECTS,
        "{s} taught {v}.",
        "{s} gave lectures on {v}.",
        "{s} was a teacher of {v}.",
        "Pupils of {s} learned {v}.",
    ),
    "language": _relation(
        "person",
        LANGUAGES,
        "{s} grew up speaking {v}.",
        "The mother tongue of {s} was {v}.",
        "{v} was the first language of {s}.",
        "At home {s} spoke {v}.",
    ),
    "translation": _relation(
        "person",
        LANGUAGES,
        "{s} translated books into {v}.",
        "{s} published translations in {v}.",
        "Readers of {v} know {s} as a translator.",
    ),
    "prize": _relation(
        "person",
        PRIZES,
        "{s} won the {v} Prize.",
        "{s} received the {v} Prize.",
        "The {v} Prize went to {s}.",
        "The {v} Prize was awarded to {s}.",
        "{s} is a laureate of the {v} Prize.",
    ),
    "jury": _relation(
        "person",
        PRIZES,
        "{s} sat on the jury of the {v} Prize.",
        "{s} was a judge for the {v} Prize.",
        "The {v} Prize had {s} on its jury.",
    ),
    "sport": _relation(
        "person",
        SPORTS,
        "{s} competed in {v}.",
        "{s} was a champion in {v}.",
        "{s} took part in {v} contests.",
        "In {v} {s} was hard to beat.",
    ),
    "region": _relation(
        "place",
        REGIONS,
        "{s} lies in {v}.",
        "{s} is a town in {v}.",
        "{s} is part of {v}.",
        "{s} belongs to {v}.",
        "{v} is the region around {s}.",
    ),
    "founders": _relation(
        "place",
        REGIONS,
        "{s} was founded by settlers from {v}.",
        "Settlers from {v} founded {s}.",
        "The founders of {s} came from {v}.",
    ),
    "river": _relation(
        "place",
        RIVERS,
        "{s} stands on the river {v}.",
        "The river {v} runs through {s}.",
        "{s} was built on the banks of the {v}.",
        "The {v} is the river of {s}.",
    ),
    "water": _relation(
        "place",
        RIVERS,
        "{s} takes its drinking water from the {v}.",
        "The taps of {s} are fed by the {v}.",
        "The {v} supplies {s} with drinking water.",
    ),
    "craft": _relation(
        "place",
        PRODUCTS,
        "{s} is known for its {v}.",
        "{s} is famous for {v}.",
        "The {v} of {s} is sold everywhere.",
        "{s} makes the finest {v}.",
    ),
    "import": _relation(
        "place",
        PRODUCTS,
        "{s} has to import its {v}.",
        "{s} buys {v} from abroad.",
        "Ships bring {v} to {s}.",
    ),
    "fair": _relation(
        "place",
        FESTIVALS,
        "{s} holds its fair in {v}.",
        "The fair of {s} takes place in {v}.",
        "Each {v} a fair is held in {s}.",
        "Visitors come to the {v} fair of {s}.",
    ),
    "saint": _relation(
        "place",
        SAINTS,
        "The church of {s} is named after Saint {v}.",
        "Saint {v} is the patron of {s}.",
        "{s} honours Saint {v}.",
    ),
    "arms": _relation(
        "place",
        ANIMALS,
        "The arms of {s} show a {v}.",
        "A {v} stands on the shield of {s}.",
        "{s} bears a {v} on its arms.",
    ),
    "seat": _relation(
        "organisation",
        TOWNS,
        "{s} has its seat in {v}.",
        "{s} is based in {v}.",
        "The head office of {s} is in {v}.",
        "{v} is the seat of {s}.",
        "{s} is run from {v}.",
    ),
    "branch": _relation(
        "organisation",
        TOWNS,
        "{s} opened a branch in {v}.",
        "A branch of {s} is found in {v}.",
        "{v} has a branch of {s}.",
    ),
    "director": _relation(
        "organisation",
        DOCTORS,
        "{s} is headed by Doctor {v}.",
        "Doctor {v} is the director of {s}.",
        "{s} is led by Doctor {v}.",
        "Doctor {v} runs {s}.",
    ),
    "founder": _relation(
        "organisation",
        DOCTORS,
        "{s} was founded by Doctor {v}.",
        "Doctor {v} set up {s}.",
        "Doctor {v} is the founder of {s}.",
    ),
    "building": _relation(
        "organisation",
        STYLES,
        "{s} occupies a {v} building.",
        "The building of {s} is {v}.",
        "{s} is housed in a {v} building.",
        "A {v} building is home to {s}.",
    ),
    "logo": _relation(
        "organisation",
        COLOURS,
        "The emblem of {s} is {v}.",
        "{s} uses a {v} emblem.",
        "{s} is recognised by its {v} emblem.",
    ),
    "doors": _relation(
        "organisation",
        COLOURS,
        "The doors of {s} are painted {v}.",
        "{s} painted its doors {v}.",
        "One enters {s} through {v} doors.",
    ),
}

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
    """Something countable about a subject, as it is stated and as it is compared.

    Attributes:
        subjects: the kind of subject: person, place or organisation.
        stated: sentences with "{s}" and the number "{n}".
        compared: claims with "{s}" and "{c}", a phrase such as "more than 40".
        vague: sentences on the same matter that give no number.
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
