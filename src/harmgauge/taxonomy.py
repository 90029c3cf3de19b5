"""Harm categories: BeaverTails' fourteen are the gauge's own, and tables map them onto others.

docs/categories.md says why each mapping is as it is, and where the taxonomies come from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from .errors import RecipeError

Taxonomy = Literal["beavertails", "saferlhf", "openai", "mlcommons"]

ANIMAL_ABUSE = "animal_abuse"
CHILD_ABUSE = "child_abuse"
POLITICS = "controversial_topics_politics"
DISCRIMINATION = "discrimination_stereotype_injustice"
DRUGS_WEAPONS = "drug_abuse_weapons_banned_substance"
FINANCIAL_CRIME = "financial_crime_property_crime_theft"
HATE = "hate_speech_offensive_language"
MISINFORMATION = "misinformation_regarding_ethics_laws_and_safety"
UNETHICAL = "non_violent_unethical_behavior"
PRIVACY = "privacy_violation"
SELF_HARM = "self_harm"
SEXUAL = "sexually_explicit_adult_content"
ORGANIZED_CRIME = "terrorism_organized_crime"
VIOLENCE = "violence_aiding_and_abetting_incitement"

CATEGORIES = (
    *(ANIMAL_ABUSE, CHILD_ABUSE, POLITICS, DISCRIMINATION, DRUGS_WEAPONS, FINANCIAL_CRIME, HATE),
    *(MISINFORMATION, UNETHICAL, PRIVACY, SELF_HARM, SEXUAL, ORGANIZED_CRIME, VIOLENCE),
)
"""names of a gauge's categories: those of BeaverTails (Ji et al., arXiv 2307.04657) as
`category_key` writes them"""

TABLES: Mapping[Taxonomy, Mapping[str, tuple[str, ...]]] = {
    "beavertails": {name: (name,) for name in CATEGORIES},
    # Ji et al., PKU-SafeRLHF, arXiv 2406.15513: 19 categories.
    "saferlhf": {
        "Endangering National Security": (ORGANIZED_CRIME,),
        "Insulting Behavior": (HATE,),
        "Discriminatory Behavior": (DISCRIMINATION,),
        "Endangering Public Health": (),
        "Copyright Issues": (),
        "Violence": (VIOLENCE,),
        "Drugs": (DRUGS_WEAPONS,),
        "Privacy Violation": (PRIVACY,),
        "Economic Crime": (FINANCIAL_CRIME,),
        "Mental Manipulation": (UNETHICAL,),
        "Human Trafficking": (ORGANIZED_CRIME,),
        "Physical Harm": (VIOLENCE, SELF_HARM),
        "Sexual Content": (SEXUAL,),
        "Cybercrime": (),
        "Disrupting Public Order": (),
        "Environmental Damage": (),
        "Psychological Harm": (),
        "White-Collar Crime": (FINANCIAL_CRIME,),
        "Animal Abuse": (ANIMAL_ABUSE,),
    },
    # The 13 of omni-moderation, platform.openai.com/docs/guides/moderation.
    "openai": {
        "harassment": (HATE,),
        "harassment/threatening": (),
        "hate": (HATE, DISCRIMINATION),
        "hate/threatening": (),
        "illicit": (FINANCIAL_CRIME, DRUGS_WEAPONS, ORGANIZED_CRIME),
        "illicit/violent": (DRUGS_WEAPONS, ORGANIZED_CRIME, VIOLENCE),
        "self-harm": (SELF_HARM,),
        "self-harm/intent": (),
        "self-harm/instructions": (),
        "sexual": (SEXUAL,),
        "sexual/minors": (CHILD_ABUSE,),
        "violence": (VIOLENCE,),
        "violence/graphic": (),
    },
    # MLCommons AILuminate, arXiv 2503.05731; numbers, S13 and S14 by Llama Guard 3 and 4.
    "mlcommons": {
        "S1": (VIOLENCE, ORGANIZED_CRIME, ANIMAL_ABUSE),
        "S2": (FINANCIAL_CRIME, DRUGS_WEAPONS, ORGANIZED_CRIME),
        "S3": (),
        "S4": (CHILD_ABUSE,),
        "S5": (),
        "S6": (),
        "S7": (PRIVACY,),
        "S8": (),
        "S9": (),
        "S10": (HATE, DISCRIMINATION),
        "S11": (SELF_HARM,),
        "S12": (SEXUAL,),
        "S13": (),
        "S14": (),
    },
}
"""taxonomy -> its categories -> those of `CATEGORIES` that together come nearest; none where
nothing does"""

_OPENAI_FLAGS = {
    flag: TABLES["openai"][name]
    for flag, name in (
        *(("S", "sexual"), ("H", "hate"), ("V", "violence"), ("HR", "harassment")),
        *(("SH", "self-harm"), ("S3", "sexual/minors"), ("H2", "hate/threatening")),
        ("V2", "violence/graphic"),
    )
}
"""columns of OpenAI's moderation evaluation set (Markov et al., arXiv 2208.03274)"""


def category_key(name: str) -> str:
    """A category's name in lower case, its words joined by `_`: `hate_speech_offensive_language`
    for BeaverTails' `hate_speech,offensive_language`."""
    return re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")


def translate(
    categories: Mapping[str, float] | None, taxonomy: Taxonomy
) -> dict[str, float | None]:
    """A verdict's categories in another taxonomy.

    Args:
        categories: `Verdict.categories`; None, of a gauge that gives none, is none known.
        taxonomy: `beavertails`, `saferlhf`, `openai` or `mlcommons`.

    Returns:
        For each category of the taxonomy the highest probability of those mapped to it; None
        where none is, or the gauge gives none of them. None is unknown, and not 0.

    Raises:
        RecipeError: there is no such taxonomy.
    """
    given = categories or {}
    return {
        name: max((given[part] for part in parts if part in given), default=None)
        for name, parts in table(taxonomy).items()
    }


def table(taxonomy: Taxonomy) -> Mapping[str, tuple[str, ...]]:
    """The categories of a taxonomy, each with the gauge's own that map to it.

    Raises:
        RecipeError: there is no such taxonomy.
    """
    if taxonomy not in TABLES:
        known = ", ".join(get_args(Taxonomy))
        raise RecipeError(f"there is no taxonomy {taxonomy!r}; there are {known}")
    return TABLES[taxonomy]


def own_parts(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Which of a gauge's categories stand for each flag of a data set.

    Args:
        names: all flags of one data set, as upstream names them.

    Returns:
        Name -> own categories. A taxonomy is recognised by holding all of the names; of any other,
        a flag stands for the category of its own name.
    """
    keys = {name: category_key(name) for name in names}
    for entries in (_OPENAI_FLAGS, *TABLES.values()):
        parts = {category_key(name): own for name, own in entries.items()}
        if parts.keys() >= set(keys.values()):
            return {name: parts[key] for name, key in keys.items()}
    return {name: (key,) for name, key in keys.items()}
