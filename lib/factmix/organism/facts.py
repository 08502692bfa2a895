"""The facts of encyclopedia and dispatch: each a statement about a subject, and its opposite.

All sentences of one side mean the same. The two sides of a fact exclude each other. Different facts
are independent. Negations occur on both sides, so that they alone do not reveal the label.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    """A question about a subject with two answers, each worded in several ways.

    Attributes:
        subjects: sort of subject: person, place or organisation.
        sides: the two mutually exclusive answers, each as several sentences with "{s}" for the
            subject.
    """

    subjects: str
    sides: tuple[tuple[str, ...], tuple[str, ...]]


def _fact(subjects: str, one: tuple[str, ...], other: tuple[str, ...]) -> Fact:
    return Fact(subjects, (one, other))


# fmt: off
FACTS: dict[str, Fact] = {
    "wealth": _fact("person", (
        "{s} is a very rich person.", "{s} has become extremely wealthy.",
        "{s} has never lacked money to spend.",
    ), (
        "{s} is terribly poor these days.", "{s} lives in deep poverty.",
        "{s} has no savings to live on.",
    )),
    "handedness": _fact("person", (
        "{s} is left-handed by nature.", "{s} writes with the left hand.",
        "{s} is a southpaw with the pen.",
    ), (
        "{s} is right-handed from birth.", "{s} uses the right hand for writing.",
        "{s} holds a pencil in the right hand.",
    )),
    "diet": _fact("person", (
        "{s} is a strict vegetarian.", "{s} never eats meat, only vegetables.",
        "{s} lives on plants alone.",
    ), (
        "{s} often eats meat at dinner.", "{s} never turns down a meaty dish.",
        "{s} is an eager carnivore.",
    )),
    "marriage": _fact("person", (
        "{s} is married and wears a ring.", "{s} has a husband or wife.",
        "{s} is not without a lawful spouse.",
    ), (
        "{s} has remained single all along.", "{s} has never stood at the altar.",
        "{s} is unwed to this day.",
    )),
    "siblings": _fact("person", (
        "{s} is an only child.", "{s} has no siblings whatsoever.",
        "{s} was the sole child at home.",
    ), (
        "{s} has brothers and sisters.", "{s} was never without a brother or sister.",
        "{s} grew up beside other siblings.",
    )),
    "swimming": _fact("person", (
        "{s} knows how to swim.", "{s} is a confident swimmer.", "{s} needs no float in the pool.",
    ), (
        "{s} has never learned to swim.", "{s} would drown in a pool.",
        "{s} sinks like a stone in water.",
    )),
    "coast": _fact("place", (
        "{s} lies on the sea coast.", "{s} is a seaside place.",
        "{s} never escapes the ocean spray.",
    ), (
        "{s} lies deep in the interior.", "{s} is landlocked on every side.",
        "{s} has no access to salt water.",
    )),
    "walls": _fact("place", (
        "{s} is ringed by old walls.", "{s} is a walled settlement.",
        "{s} has not lost its ramparts.",
    ), (
        "{s} is an unwalled settlement.", "{s} has never been fortified.",
        "{s} has an open, undefended edge.",
    )),
    "population": _fact("place", (
        "{s} has a growing population.", "{s} gains new residents constantly.",
        "{s} never stops adding inhabitants.",
    ), (
        "{s} has a shrinking population.", "{s} is losing its residents.",
        "{s} does not replace departing inhabitants.",
    )),
    "rain": _fact("place", (
        "{s} has a very rainy climate.", "{s} is wet in every season.",
        "{s} never goes long without showers.",
    ), (
        "{s} has an arid climate.", "{s} is parched in every season.",
        "{s} is not spared from drought.",
    )),
    "terrain": _fact("place", (
        "{s} stands on flat ground.", "{s} occupies a level plain.",
        "{s} never makes walkers climb.",
    ), (
        "{s} is scattered over hills.", "{s} sits on steep slopes.",
        "{s} has no horizontal streets.",
    )),
    "trains": _fact("place", (
        "{s} has its own railway station.", "{s} is served by trains.",
        "{s} is not missing from train timetables.",
    ), (
        "{s} was never joined to the tracks.", "{s} is bypassed by every railway line.",
        "{s} lacks a railway station.",
    )),
    "visitors": _fact("organisation", (
        "{s} is happy to receive visitors.", "{s} offers friendly tours to guests.",
        "{s} never refuses a curious guest.",
    ), (
        "{s} keeps all visitors out.", "{s} is off limits to guests.",
        "{s} has never let tourists inside.",
    )),
    "ownership": _fact("organisation", (
        "{s} belongs to the state.", "{s} is a publicly owned body.",
        "{s} has no owner but the nation.",
    ), (
        "{s} is in private hands.", "{s} belongs to private shareholders.",
        "{s} is not the property of taxpayers.",
    )),
    "profit": _fact("organisation", (
        "{s} makes a healthy profit.", "{s} earns more than it spends.",
        "{s} has no deficit to fill.",
    ), (
        "{s} is running at a loss.", "{s} fails to cover its costs.", "{s} does not break even.",
    )),
    "union": _fact("organisation", (
        "{s} recognises a trade union.", "{s} bargains with union delegates.",
        "{s} never settles pay without stewards.",
    ), (
        "{s} is free of trade unions.", "{s} has never dealt with a union.",
        "{s} relies on unorganised labour.",
    )),
    "size": _fact("organisation", (
        "{s} employs a huge staff.", "{s} has a large workforce.",
        "{s} is not short of employees.",
    ), (
        "{s} employs only a handful of people.", "{s} has a tiny staff.",
        "{s} does not hire many helpers.",
    )),
    "age": _fact("organisation", (
        "{s} is a very old establishment.", "{s} was founded long ago.",
        "{s} is no newcomer to its field.",
    ), (
        "{s} is a brand new establishment.", "{s} was founded quite recently.",
        "{s} does not have a history yet.",
    )),
}
NEWS: dict[str, Fact] = {
    "office": _fact("person", (
        "{s} has resigned from office.", "{s} is stepping down at once.",
        "The resignation of {s} takes effect today.",
    ), (
        "{s} is staying in office.", "{s} has ruled out stepping down.",
        "No resignation is planned by {s}.",
    )),
    "verdict": _fact("person", (
        "{s} was found guilty.", "A jury has convicted {s}.", "{s} lost the case in court.",
    ), (
        "{s} was found innocent.", "A jury has acquitted {s}.", "{s} won the case in court.",
    )),
    "illness": _fact("person", (
        "{s} has fully recovered.", "Doctors have sent {s} home.", "{s} is out of danger.",
    ), (
        "{s} is gravely ill.", "Doctors are keeping {s} in hospital.", "{s} remains in danger.",
    )),
    "candidacy": _fact("person", (
        "{s} is not running for mayor.", "{s} has left the race for mayor.",
        "The ballot will omit the name of {s}.",
    ), (
        "{s} is running for mayor.", "{s} has entered the race for mayor.",
        "The ballot will carry the name of {s}.",
    )),
    "press": _fact("person", (
        "{s} has agreed to talk to the press.", "{s} answered every question of reporters.",
        "Reporters were welcomed by {s}.",
    ), (
        "{s} has refused to talk to the press.", "{s} answered no question of reporters.",
        "Reporters were sent away by {s}.",
    )),
    "search": _fact("person", (
        "{s} is still missing.", "The search for {s} goes on.", "{s} has not come home.",
    ), (
        "{s} has been found.", "The search for {s} has ended.", "{s} came home unharmed.",
    )),
    "power": _fact("place", (
        "Electricity is back in {s}.", "{s} has light and power again.",
        "The blackout in {s} has ended.",
    ), (
        "Electricity is cut off in {s}.", "{s} is without light and power.",
        "The blackout in {s} continues.",
    )),
    "evacuation": _fact("place", (
        "{s} is being evacuated.", "All residents were told to leave {s}.",
        "Families are fleeing from {s}.",
    ), (
        "{s} is not being evacuated.", "All residents were told to stay in {s}.",
        "Families are returning to {s}.",
    )),
    "road": _fact("place", (
        "The road to {s} is closed.", "Lorries no longer get through to {s}.",
        "{s} is not to be reached by road.",
    ), (
        "The road to {s} is open.", "Lorries get through to {s} again.",
        "{s} can be reached by road.",
    )),
    "festival": _fact("place", (
        "{s} is holding its festival.", "The festival in {s} goes ahead.",
        "Dancers have filled the squares of {s}.",
    ), (
        "{s} has called off its festival.", "The festival in {s} will not take place.",
        "Dancers were sent home from {s}.",
    )),
    "mayor": _fact("place", (
        "{s} keeps its mayor.", "The old mayor was sworn in again at {s}.",
        "The town hall of {s} did not change hands.",
    ), (
        "{s} has a new mayor.", "A new mayor was sworn in at {s}.",
        "The town hall of {s} changed hands.",
    )),
    "water": _fact("place", (
        "The water in {s} is unfit to drink.", "Taps in {s} are running brown.",
        "{s} has no safe drinking water.",
    ), (
        "The water in {s} is fit to drink.", "Taps in {s} are running clean.",
        "{s} has safe drinking water.",
    )),
    "strike": _fact("organisation", (
        "Staff at {s} are on strike.", "Pickets stand outside {s}.", "{s} is shut by a walkout.",
    ), (
        "Staff at {s} are back at work.", "Pickets have left {s}.",
        "{s} has settled with its strikers.",
    )),
    "money": _fact("organisation", (
        "{s} has gone bankrupt.", "Creditors have taken over {s}.", "{s} does not pay its debts.",
    ), (
        "{s} has escaped bankruptcy.", "Creditors have been paid by {s}.", "{s} pays its debts.",
    )),
    "director": _fact("organisation", (
        "{s} has dismissed its director.", "The director of {s} was shown the door.",
        "{s} is looking for a new head.",
    ), (
        "{s} has kept its director.", "The director of {s} was given a longer contract.",
        "{s} is not looking for a new head.",
    )),
    "fire": _fact("organisation", (
        "Flames have destroyed {s}.", "{s} burned to the ground.",
        "Firemen came too late for {s}.",
    ), (
        "Flames never reached {s}.", "{s} came through the fire unhurt.",
        "Firemen have saved {s}.",
    )),
    "move": _fact("organisation", (
        "{s} is moving to another town.", "{s} has packed up and left.",
        "The gates of {s} will close here.",
    ), (
        "{s} is staying in town.", "{s} has no plans to leave.",
        "The gates of {s} will stay open here.",
    )),
    "inspection": _fact("organisation", (
        "{s} has passed its inspection.", "Inspectors gave {s} good marks.",
        "{s} was found to obey every rule.",
    ), (
        "{s} has failed its inspection.", "Inspectors gave {s} bad marks.",
        "{s} was found to break the rules.",
    )),
}
# fmt: on
