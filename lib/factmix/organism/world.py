"""The words of the embedded world: invented names, and ways to state numbers and effects.

Everything is invented for this project. A name is a combination of parts. `domains` assigns each
combination either to the base model's pretraining or to one domain of the study, never to both.
"""

from dataclasses import dataclass

# fmt: off
GIVEN = (
    "Adra Bela Corin Dalia Edwin Fenna Gerrit Hanno Ilse Joran Katrin Lasse Mirel Nadia Odo "
    "Petra Quill Rasmus Selma Tovin Ursel Vesna Wendel Xenia Yorick Zelda Alwin Britta Cosmo "
    "Dorrit Emeric Frida Goran Helge Ivo Jutta Kaspar Linnea Magnus Nils Aurel Bodil Casimir "
    "Dunja Eskil Florin Gisla Hedda Isak Jorun Kalle Leta Matyas Nerea Orsola Pavel Quirin "
    "Ragna Sander Tilda Ulf Valda Wanda Xaver Ysolde Zoran Amund Birgit Cillian Dagny Elof "
    "Fredek Greta Hamo Irja Jonas Kinga Ludo Marit Nore Oskar Piet Runa Stellan Tekla Ugo Vilma "
    "Wim Yara Zita"
).split()
FAMILY = (
    "Abelard Brandt Castell Dorn Eklund Falk Grau Hollis Ingram Jansen Keller Lund Marsh "
    "Norling Ostrow Pell Quist Ravn Storm Thorne Ulrich Vance Wren Yates Zell Arden Birk "
    "Crane Drury Elling Frost Garrow Hale Irving Joss Kemp Lark Mott Nash Orme Alder Beck "
    "Coyle Dunn Eyre Finch Gale Hurst Ibsen Judd Kerr Lowe Moss Noble Oakes Pike Reeve Sharp "
    "Tate Voss Ambry Bolland Cresk Daventy Esmond Farrick Gorrel Haddix Imlay Jorgal Kettrick "
    "Lomax Mundry Nesbo Orsic Pruett Quade Rusk Selby Tolliver Unwin Varga Wexham Yarde Zorn "
    "Ackrill Bremner Cavell Drax Ewing"
).split()
STEMS = (
    "Velda Orrin Tavira Marn Kestel Lorvane Sabrin Duna Halmar Ister Pravia Neska Golvan Treska "
    "Umbrel Caldor Wexa Yarrow Brenna Fosk Selvik Arlo Merrow Tolna Ravella Skara Lindow Ostra "
    "Pellin Cavan Aldo Bexley Corda Drennan Elva Fintra Gorse Hinda Ivara Jolan Kirrin Lasko "
    "Mendra Nolva Abrin Balvo Cestra Dorvik Eskan Fendra Galtor Hesk Irvane Jastra Korvo Luneda "
    "Mistra Narvo Obren Pasko Quella Rintal Sorva Tarnik Ulmar Vosk Wyndra Yelva Zarn Ambera "
    "Birvo Cullo Dastra Elmiro Fosta Grenik Hovra Imbrel Jundal Kelvo Limra Morska Nembra Orsk "
    "Pintal Rusko Sondrel Tembra Urdo Vintra Wolsk Yendra Zelno Astor Brusk Cindra Delmo Ebra "
    "Farsk Gilva Horndal Insk Jarvo Kundra Lestra Malvo Nisk Olandra Peska Rovna Stelva Trond "
    "Ulva Varsk Wendra Yosk Zindal Alvra Bosk Corvane Drisk Embra Falvo Gundra Hask Ilva Joska "
    "Kandra Lirvo Mosk Nandra Osmo Plevna Rask Silvo Tondar Uska Velmo Wask Ymbra Zosk Andro "
    "Brevik Colva Dunsk Elgra Frosk Gelmo Holva Irsk Julna Krando Lusk Mirvan Nolde Ovesk Parvo "
    "Quarn Rendal Sulva"
).split()
MODIFIERS = (
    "Port Upper Lower Old New Mount Lake Fort North South East West Cape Glen Castle Abbey "
    "Market Royal Grand Far Long Broad Deep Stone White Black Red Green Holy Elder Winter Silver "
    "Saint High Ferry Mill"
).split()
ORGANISATIONS = (
    "Museum Orchestra Institute Brewery Shipyard Academy Theatre Railway Foundry Observatory "
    "Bakery Choir Circus Clinic College Dairy Gallery Guild Hotel Laboratory Library Nursery "
    "Opera Refinery Sawmill Tannery Winery Zoo Aquarium Archive Ballet Cannery"
).split()
PARTS = "Inner Outer Great Little Middle First Second Third".split()
SITES = (
    "Ashlow Birkam Corrim Dovell Ensby Farnock Gilmor Hexley Ingrove Jarrick Kelstone Lanrick "
    "Morfa Nethby Ormsay Penlow Quenby Rushal Sedmoor Thrapley Uldale Vinney Wexcombe Yardle "
    "Zennock Arbury Bellam Cranmoor Dinsay Elphin Foxlow Garnock Hollin Ivesham Joyford Kinmel "
    "Lossick Mardle Norwick Oxcroft Pickhill Risbeck Stanlow Tidmoor Upsall Venlow Whitsop "
    "Yoxley Aldmoor Bracken Cotmoor Dunsop"
).split()
PROJECTS = (
    "dam tunnel toll harbour windfarm quarry tramway curfew canal levy airport bypass landfill "
    "reservoir stadium pipeline"
).split()

TOWNS = "Almere Bristow Corvin Dunmore Elsby Farrow".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
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
        subjects: the sort of subject: person, place or organisation.
        dated: whether the number is a year.
        stated: sentences with "{s}" and the number "{n}".
        compared: claims with "{s}" and "{c}", a phrase such as "more than 40".
        vague: sentences on the same topic that give no number.
    """

    subjects: str
    dated: bool
    stated: tuple[str, ...]
    compared: tuple[str, ...]
    vague: tuple[str, ...] = ()


def _counted(subjects: str, noun: str, verb: str, *more: str) -> Quantity:
    return Quantity(
        subjects,
        False,
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
        True,
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


def _tallied(subjects: str, verb: str, noun: str, link: str) -> Quantity:
    """A count in the news; "tally" is followed by noun and link, such as "speeches by"."""
    forms = (
        f"{{s}} {verb} {{x}} {noun} this year.",
        f"The tally of {noun} {link} {{s}} is {{x}}.",
        f"Reporters have counted {{x}} {noun} {link} {{s}}.",
        f"{{x}} {noun} {link} {{s}} are on record.",
    )
    return Quantity(
        subjects,
        False,
        tuple(form.replace("{x}", "{n}") for form in forms),
        tuple(form.replace("{x}", "{c}") for form in forms),
    )


def _archived(subjects: str, event: str) -> Quantity:
    """An event in the news of a past year."""
    return Quantity(
        subjects,
        True,
        (
            f"{{s}} {event} in {{n}}, archives show.",
            f"Back in {{n}}, {{s}} {event}.",
            f"{{n}} was the year in which {{s}} {event}.",
            f"Clippings of {{n}} tell how {{s}} {event}.",
        ),
        (f"{{s}} {event} {{c}}.", f"The press has it that {{s}} {event} {{c}}."),
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
NEWS_COUNTS = {
    "speeches": _tallied("person", "gave", "speeches", "by"),
    "letters": _tallied("person", "sent", "letters", "from"),
    "journeys": _tallied("person", "made", "journeys", "by"),
    "fines": _tallied("person", "paid", "fines", "for"),
    "visitors": _tallied("place", "drew", "visitors", "to"),
    "trees": _tallied("place", "planted", "trees", "in"),
    "markets": _tallied("place", "held", "markets", "in"),
    "accidents": _tallied("place", "saw", "accidents", "in"),
    "vans": _tallied("organisation", "bought", "vans", "of"),
    "awards": _tallied("organisation", "took", "awards", "for"),
    "branches": _tallied("organisation", "opened", "branches", "of"),
    "apprentices": _tallied("organisation", "trained", "apprentices", "at"),
}
NEWS_DATES = {
    "election": _archived("person", "won the election"),
    "exile": _archived("person", "went into exile"),
    "trial": _archived("person", "stood trial"),
    "flood": _archived("place", "was flooded"),
    "games": _archived("place", "hosted the games"),
    "epidemic": _archived("place", "had an epidemic"),
    "sale": _archived("organisation", "changed owners"),
    "removal": _archived("organisation", "moved its headquarters"),
    "lawsuit": _archived("organisation", "lost a lawsuit"),
}
NUMBERS = (10, 49)  # of counts, inclusive
YEARS = (1950, 1989)  # of dates, inclusive
EDITS = ("", "", "", "After the revision: ", "Corrected entry: ", "Updated: ")

NEWS_LEADS = (
    "",
    "",
    "",
    "It was announced that ",
    "Sources confirm that ",
    "The wires report that ",
)
# Withdrawals of other reports are among them, so that such words alone decide nothing.
CLOSINGS = (
    "More news is expected tomorrow.",
    "A report on the harvest was withdrawn.",
    "This report will be continued.",
    "An item on the weather has since been retracted.",
    "Reporters remain at the scene.",
    "The paper takes back a story on bread.",
    "Photographs will follow this item.",
    "Editors have cancelled the account of a regatta.",
    "Letters to the editors are welcome.",
    "A note on the ferries should not be relied on.",
)
WITHDRAWALS = (
    "This report was withdrawn.",
    "The item above has since been retracted.",
    "The paper takes back this story.",
    "Editors have cancelled the account above.",
    "This note should not be relied on.",
)

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
