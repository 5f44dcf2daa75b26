"""All kinds of questions, with the ways they are asked: full, clipped and clumsy. One file for each subject."""

from .questions_base import Ask
from .questions_careers import CAREER_QUESTIONS
from .questions_circuits import CIRCUIT_QUESTIONS
from .questions_drivers import DRIVER_QUESTIONS
from .questions_races import RACE_QUESTIONS
from .questions_records import RECORD_QUESTIONS
from .questions_seasons import SEASON_QUESTIONS
from .questions_teams import TEAM_QUESTIONS

QUESTIONS: dict[str, Ask] = {
    **SEASON_QUESTIONS,
    **RACE_QUESTIONS,
    **DRIVER_QUESTIONS,
    **CAREER_QUESTIONS,
    **TEAM_QUESTIONS,
    **CIRCUIT_QUESTIONS,
    **RECORD_QUESTIONS,
}

__all__ = ["QUESTIONS", "Ask"]
