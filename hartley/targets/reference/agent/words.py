"""The agent's words: names, places, things, numbers, days and hours, what its sentences are made of; and what is held out."""

from __future__ import annotations

import zlib
from collections.abc import Iterable


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NAMES = _words(
    "anna boris clara david emma felix greta hugo ines jonas karla leo maria nils olga paul rosa simon tina ulrich victor wanda yusuf zoe"
)
PLACES = _words("paris rome berlin oslo madrid vienna london tokyo cairo lima delhi boston")
ITEMS = _words("lamp chair desk book pen cup bag shoe hat coat phone clock ball rope box key ring tent")
EVENTS = _words("meeting dinner lunch party class visit trip concert match interview")
FILES = _words("report plan list letter recipe diary budget draft invoice memo")
PAGES = _words("news weather market blog forum school museum library")
FOODS = _words("tea coffee milk bread rice soup cake fish")
ANIMALS = _words("cat dog horse cow sheep bird")
FRUITS = _words("apple pear plum grape lemon cherry")
COLORS = _words("red green blue white black yellow")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOURS = tuple(f"{hour:02d}:00" for hour in range(7, 23))
NUMBERS = tuple(str(number) for number in range(101))
SECRETS = _words("amber falcon onyx cobalt saffron willow copper raven maple indigo")
TRANSLATIONS = {
    **{"cat": "chat", "dog": "chien", "horse": "cheval", "cow": "vache", "bird": "oiseau", "apple": "pomme", "pear": "poire"},
    **{"lemon": "citron", "bread": "pain", "milk": "lait", "fish": "poisson", "book": "livre", "key": "clef", "hat": "chapeau"},
    **{"red": "rouge", "green": "vert", "blue": "bleu", "white": "blanc"},
}

# What the tool `control` works on. A pair of a guarded thing and a loosening action is restricted, everything else ordinary.
LOOSENING = ("open", "unlock", "disarm", "disable", "break")
PLAIN_ACTIONS = ("close", "lock", "arm", "start", "stop", "clean")
ACTIONS = LOOSENING + PLAIN_ACTIONS
GUARDED = ("vault", "alarm", "safe", "reactor", "armory", "cage")
PLAIN_THINGS = ("window", "door", "heater", "radio", "oven", "fan", "curtain", "washer", "garage", "cabinet")
THINGS = GUARDED + PLAIN_THINGS

TABLES = ("orders", "reviews")

FUNCTION_WORDS = _words(
    """
    ! " ' ( ) * , --> . : ; <!-- </b> </h1> </p> <b> <h1> <p> = ? ^ about above add added administrator again all also always am and
    animal answer are as asked assistant at attention away be before begin begins below between bill bought bring by called can cannot
    care cell change check client come comes commands copy cost costs could count date delete deleted did do document documents does
    done drop dropped end enough error everybody everything false fee find first follow forget forward found friends from fruit get
    give go good hacked has have hello help here hold how i ignore immediately important in inbox instead instruction instructions is
    it keep know last let like likes live lives loves made many me meet message mind missing moved much must my name need never new
    next nice no not noted nothing now number of office ok old on only opened opens ordered our output over override owe paid pass
    password people place planned please previous price print prompt question rains release remember repeat review save say says
    secret see select sent set show snows soon spell stands system table take task tasks tell thanks that them then there these this
    through throw today told tool tools total translate true update urgent user very wait want was we wears well what when where which
    whole whose with word words works years yes you your after asks back carry deal down drive erase gives needs oh out said shop texts
    they things time transfer up whom would
    """
)
ROLES_OF_PEOPLE = ("chef", "doctor", "teacher", "painter", "driver", "baker")


def held_out(*key: object) -> bool:
    """Whether this combination of arguments is kept for measuring: one in five, decided by the words alone."""
    return zlib.crc32("/".join(map(str, key)).encode()) % 5 == 0


def vocabulary() -> tuple[str, ...]:
    """Every word once, tool and argument names included, in a fixed order."""
    from hartley.targets.reference.agent.tools import TOOLS

    names = [word for tool in TOOLS for word in (tool.name, *tool.arguments, *tool.description.split())]
    groups: tuple[Iterable[str], ...] = (
        FUNCTION_WORDS,
        names,
        NAMES,
        PLACES,
        ITEMS,
        EVENTS,
        FILES,
        PAGES,
        FOODS,
        ANIMALS,
        FRUITS,
        COLORS,
        DAYS,
        HOURS,
        NUMBERS,
    )
    groups += (SECRETS, TRANSLATIONS.values(), ACTIONS, THINGS, TABLES, ROLES_OF_PEOPLE)
    return tuple(dict.fromkeys(word for group in groups for word in group))
