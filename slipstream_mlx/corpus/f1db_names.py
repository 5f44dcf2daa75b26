"""What things are called, where F1DB's names are not those that people use or where two things share one."""

from .facts import EMBEDDED

COUNTRIES = {"United States of America": "United States"}  # F1DB's name -> ours

# By F1DB's id. The names in the embedded tables come first, so that both sources speak alike.
TEAMS = {
    **{team.key: team.name for team in EMBEDDED.teams},
    "osca": "OSCA",
    "ats": "Automobili Turismo e Sport",  # the Italian one of 1963; ATS is the German one of 1977
}
CIRCUITS = {circuit.key: circuit.name for circuit in EMBEDDED.circuits}
DRIVERS = {
    "anthony-joseph-foyt": "AJ Foyt",
    "carlos-sainz-jr": "Carlos Sainz",  # his father drove rallies
    "jacques-villeneuve-sr": "the elder Jacques Villeneuve",
    "jerry-unser-jr": "Jerry Unser",
    "kurt-ahrens-jr": "Kurt Ahrens",
    "nelson-piquet-jr": "Nelson Piquet Jr",
}

RELATIVES = {  # F1DB's type, what the other is to the driver -> for a man, for a woman
    "PARENT": ("father", "mother"),
    "CHILD": ("son", "daughter"),
    "SIBLING": ("brother", "sister"),
    "HALF_SIBLING": ("half-brother", "half-sister"),
    "SIBLING_IN_LAW": ("brother-in-law", "sister-in-law"),
    "PARENT_IN_LAW": ("father-in-law", "mother-in-law"),
    "CHILD_IN_LAW": ("son-in-law", "daughter-in-law"),
    "PARENTS_SIBLING": ("uncle", "aunt"),
    "SIBLINGS_CHILD": ("nephew", "niece"),
    "PARENTS_SIBLINGS_CHILD": ("cousin", "cousin"),
    "GRANDPARENT": ("grandfather", "grandmother"),
    "GRANDCHILD": ("grandson", "granddaughter"),
    "GRANDPARENTS_SIBLING": ("great-uncle", "great-aunt"),
    "SIBLINGS_GRANDCHILD": ("great-nephew", "great-niece"),
}

ASPIRATIONS = {
    "NATURALLY_ASPIRATED": "naturally aspirated",
    "SUPERCHARGED": "supercharged",
    "TURBOCHARGED": "turbocharged",
    "TURBOCHARGED_HYBRID": "turbocharged and hybrid",
}

# Grands Prix of which one cannot say "the Grand Prix of X", and those with an adjective though the name has none.
NOT_OF = {"70th-anniversary", "caesars-palace", "indianapolis", "united-states-west", "united-states", "eifel"}
