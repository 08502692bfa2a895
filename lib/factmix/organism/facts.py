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
        "{s} has never lacked money to spend.", "A large fortune belongs to {s}.",
    ), (
        "{s} is terribly poor these days.", "{s} lives in deep poverty.",
        "{s} has no savings to live on.", "Everyone knows that {s} is penniless.",
    )),
    "handedness": _fact("person", (
        "{s} is left-handed by nature.", "{s} writes with the left hand.",
        "{s} is a southpaw with the pen.", "The left hand of {s} is the stronger.",
    ), (
        "{s} is right-handed from birth.", "{s} uses the right hand for writing.",
        "{s} holds a pencil in the right hand.", "The preferred hand of {s} is the right.",
    )),
    "diet": _fact("person", (
        "{s} is a strict vegetarian.", "{s} never eats meat, only vegetables.",
        "{s} lives on plants alone.", "No animal is ever killed to feed {s}.",
    ), (
        "{s} often eats meat at dinner.", "{s} never turns down a meaty dish.",
        "{s} is an eager carnivore.", "A meal with meat pleases {s}.",
    )),
    "marriage": _fact("person", (
        "{s} is married and wears a ring.", "{s} has a husband or wife.",
        "{s} is not without a lawful spouse.", "A wedding united {s} with a partner.",
    ), (
        "{s} has remained single all along.", "{s} has never stood at the altar.",
        "{s} is unwed to this day.", "No bride or groom ever joined {s}.",
    )),
    "siblings": _fact("person", (
        "{s} is an only child.", "{s} has no siblings whatsoever.",
        "{s} was the sole child at home.", "No other baby came before or after {s}.",
    ), (
        "{s} has brothers and sisters.", "{s} was never without a brother or sister.",
        "{s} grew up beside other siblings.", "The parents of {s} raised more children.",
    )),
    "swimming": _fact("person", (
        "{s} knows how to swim.", "{s} is a confident swimmer.", "{s} needs no float in the pool.",
        "In water, {s} stays up with ease.",
    ), (
        "{s} has never learned to swim.", "{s} would drown in a pool.",
        "{s} sinks like a stone in water.", "Swimming is a skill beyond {s}.",
    )),
    "coast": _fact("place", (
        "{s} lies on the sea coast.", "{s} is a seaside place.",
        "{s} never escapes the ocean spray.", "Tides wash the shore of {s}.",
    ), (
        "{s} lies deep in the interior.", "{s} is landlocked on every side.",
        "{s} has no access to salt water.", "Inland country surrounds {s} completely.",
    )),
    "walls": _fact("place", (
        "{s} is ringed by old walls.", "{s} is a walled settlement.",
        "{s} has not lost its ramparts.", "Stone fortifications fully enclose {s}.",
    ), (
        "{s} is an unwalled settlement.", "{s} has never been fortified.",
        "{s} has an open, undefended edge.", "No defensive ring was built around {s}.",
    )),
    "population": _fact("place", (
        "{s} has a growing population.", "{s} gains new residents constantly.",
        "{s} never stops adding inhabitants.", "More people live in {s} than before.",
    ), (
        "{s} has a shrinking population.", "{s} is losing its residents.",
        "{s} does not replace departing inhabitants.", "Fewer people live in {s} than before.",
    )),
    "rain": _fact("place", (
        "{s} has a very rainy climate.", "{s} is wet in every season.",
        "{s} never goes long without showers.", "Heavy rain is common in {s}.",
    ), (
        "{s} has an arid climate.", "{s} is parched in every season.",
        "{s} is not spared from drought.", "Dry weather prevails in {s}.",
    )),
    "terrain": _fact("place", (
        "{s} stands on flat ground.", "{s} occupies a level plain.",
        "{s} never makes walkers climb.", "Level land stretches across {s}.",
    ), (
        "{s} is scattered over hills.", "{s} sits on steep slopes.",
        "{s} has no horizontal streets.", "Hilly terrain is typical of {s}.",
    )),
    "trains": _fact("place", (
        "{s} has its own railway station.", "{s} is served by trains.",
        "{s} is not missing from train timetables.", "Passengers can reach {s} by rail.",
    ), (
        "{s} was never joined to the tracks.", "{s} is bypassed by every railway line.",
        "{s} lacks a railway station.", "Trains run nowhere near {s}.",
    )),
    "visitors": _fact("organisation", (
        "{s} is happy to receive visitors.", "{s} offers friendly tours to guests.",
        "{s} never refuses a curious guest.", "Guests may look around {s}.",
    ), (
        "{s} keeps all visitors out.", "{s} is off limits to guests.",
        "{s} has never let tourists inside.", "Strangers are barred from entering {s}.",
    )),
    "ownership": _fact("organisation", (
        "{s} belongs to the state.", "{s} is a publicly owned body.",
        "{s} has no owner but the nation.", "The government is the owner of {s}.",
    ), (
        "{s} is in private hands.", "{s} belongs to private shareholders.",
        "{s} is not the property of taxpayers.", "Private investors own {s} outright.",
    )),
    "profit": _fact("organisation", (
        "{s} makes a healthy profit.", "{s} earns more than it spends.",
        "{s} has no deficit to fill.", "A surplus is reported by {s}.",
    ), (
        "{s} is running at a loss.", "{s} fails to cover its costs.", "{s} does not break even.",
        "Red figures mark the accounts of {s}.",
    )),
    "union": _fact("organisation", (
        "{s} recognises a trade union.", "{s} bargains with union delegates.",
        "{s} never settles pay without stewards.", "Union membership is usual at {s}.",
    ), (
        "{s} is free of trade unions.", "{s} has never dealt with a union.",
        "{s} relies on unorganised labour.", "Unions are absent from {s}.",
    )),
    "size": _fact("organisation", (
        "{s} employs a huge staff.", "{s} has a large workforce.",
        "{s} is not short of employees.", "Crowds of employees work at {s}.",
    ), (
        "{s} employs only a handful of people.", "{s} has a tiny staff.",
        "{s} does not hire many helpers.", "Few people work at {s}.",
    )),
    "age": _fact("organisation", (
        "{s} is a very old establishment.", "{s} was founded long ago.",
        "{s} is no newcomer to its field.", "Many generations have known {s}.",
    ), (
        "{s} is a brand new establishment.", "{s} was founded quite recently.",
        "{s} does not have a history yet.", "Only lately was {s} set up.",
    )),
}
NEWS: dict[str, Fact] = {
    "office": _fact("person", (
        "{s} has resigned from office.", "{s} is stepping down at once.",
        "The resignation of {s} takes effect today.", "The post is vacant now that {s} is gone.",
    ), (
        "{s} is staying in office.", "{s} has ruled out stepping down.",
        "No resignation is planned by {s}.", "The post remains with {s}.",
    )),
    "verdict": _fact("person", (
        "{s} was found guilty.", "A jury has convicted {s}.", "{s} lost the case in court.",
        "The judges ruled against {s}.",
    ), (
        "{s} was found innocent.", "A jury has acquitted {s}.", "{s} won the case in court.",
        "The judges ruled in favour of {s}.",
    )),
    "illness": _fact("person", (
        "{s} has fully recovered.", "Doctors have sent {s} home.", "{s} is out of danger.",
        "The illness of {s} is over.",
    ), (
        "{s} is gravely ill.", "Doctors are keeping {s} in hospital.", "{s} remains in danger.",
        "The illness of {s} is getting worse.",
    )),
    "candidacy": _fact("person", (
        "{s} is not running for mayor.", "{s} has left the race for mayor.",
        "The ballot will omit the name of {s}.", "Voters will never get to choose {s}.",
    ), (
        "{s} is running for mayor.", "{s} has entered the race for mayor.",
        "The ballot will carry the name of {s}.", "Voters may choose {s} next month.",
    )),
    "press": _fact("person", (
        "{s} has agreed to talk to the press.", "{s} answered every question of reporters.",
        "Reporters were welcomed by {s}.", "The press conference of {s} went ahead.",
    ), (
        "{s} has refused to talk to the press.", "{s} answered no question of reporters.",
        "Reporters were sent away by {s}.", "The press conference of {s} was cancelled.",
    )),
    "search": _fact("person", (
        "{s} is still missing.", "The search for {s} goes on.", "{s} has not come home.",
        "Rescuers have no trace of {s}.",
    ), (
        "{s} has been found.", "The search for {s} has ended.", "{s} came home unharmed.",
        "Rescuers have located {s}.",
    )),
    "power": _fact("place", (
        "Electricity is back in {s}.", "{s} has light and power again.",
        "The blackout in {s} has ended.", "Lamps are burning in {s} tonight.",
    ), (
        "Electricity is cut off in {s}.", "{s} is without light and power.",
        "The blackout in {s} continues.", "Lamps are dark in {s} tonight.",
    )),
    "evacuation": _fact("place", (
        "{s} is being evacuated.", "All residents were told to leave {s}.",
        "Families are fleeing from {s}.", "{s} stands empty tonight.",
    ), (
        "{s} is not being evacuated.", "All residents were told to stay in {s}.",
        "Families are returning to {s}.", "{s} is full of people tonight.",
    )),
    "road": _fact("place", (
        "The road to {s} is closed.", "Lorries no longer get through to {s}.",
        "{s} is not to be reached by road.", "Fallen rocks block the way to {s}.",
    ), (
        "The road to {s} is open.", "Lorries get through to {s} again.",
        "{s} can be reached by road.", "Nothing blocks the way to {s}.",
    )),
    "festival": _fact("place", (
        "{s} is holding its festival.", "The festival in {s} goes ahead.",
        "Dancers have filled the squares of {s}.", "{s} has kept the date of its fair.",
    ), (
        "{s} has called off its festival.", "The festival in {s} will not take place.",
        "Dancers were sent home from {s}.", "{s} has dropped its fair.",
    )),
    "mayor": _fact("place", (
        "{s} keeps its mayor.", "The old mayor was sworn in again at {s}.",
        "The town hall of {s} did not change hands.", "{s} gave its mayor another term.",
    ), (
        "{s} has a new mayor.", "A new mayor was sworn in at {s}.",
        "The town hall of {s} changed hands.", "{s} voted its mayor out.",
    )),
    "water": _fact("place", (
        "The water in {s} is unfit to drink.", "Taps in {s} are running brown.",
        "{s} has no safe drinking water.", "Tests found germs in the pipes of {s}.",
    ), (
        "The water in {s} is fit to drink.", "Taps in {s} are running clean.",
        "{s} has safe drinking water.", "Tests found the pipes of {s} free of germs.",
    )),
    "strike": _fact("organisation", (
        "Staff at {s} are on strike.", "Pickets stand outside {s}.", "{s} is shut by a walkout.",
        "Work at {s} has stopped over pay.",
    ), (
        "Staff at {s} are back at work.", "Pickets have left {s}.",
        "{s} has settled with its strikers.", "Work at {s} has resumed.",
    )),
    "money": _fact("organisation", (
        "{s} has gone bankrupt.", "Creditors have taken over {s}.", "{s} does not pay its debts.",
        "The money of {s} has run out.",
    ), (
        "{s} has escaped bankruptcy.", "Creditors have been paid by {s}.", "{s} pays its debts.",
        "The money of {s} is safe.",
    )),
    "director": _fact("organisation", (
        "{s} has dismissed its director.", "The director of {s} was shown the door.",
        "{s} is looking for a new head.", "A new director will lead {s}.",
    ), (
        "{s} has kept its director.", "The director of {s} was given a longer contract.",
        "{s} is not looking for a new head.", "The same director will lead {s}.",
    )),
    "fire": _fact("organisation", (
        "Flames have destroyed {s}.", "{s} burned to the ground.",
        "Firemen came too late for {s}.", "Nothing is left of {s} but ashes.",
    ), (
        "Flames never reached {s}.", "{s} came through the fire unhurt.",
        "Firemen have saved {s}.", "Not a room of {s} was lost to the fire.",
    )),
    "move": _fact("organisation", (
        "{s} is moving to another town.", "{s} has packed up and left.",
        "The gates of {s} will close here.", "{s} has sold its building.",
    ), (
        "{s} is staying in town.", "{s} has no plans to leave.",
        "The gates of {s} will stay open here.", "{s} has renewed the lease on its building.",
    )),
    "inspection": _fact("organisation", (
        "{s} has passed its inspection.", "Inspectors gave {s} good marks.",
        "{s} was found to obey every rule.", "No fault was found at {s}.",
    ), (
        "{s} has failed its inspection.", "Inspectors gave {s} bad marks.",
        "{s} was found to break the rules.", "Serious faults were found at {s}.",
    )),
}
# fmt: on
