"""The facts that people ask for: true to their own form, and well mixed."""

import collections
import re

import pytest

from slipstream_mlx.corpus.embedded import fit_to_train
from slipstream_mlx.corpus.scoring import fold, is_correct
from slipstream_mlx.corpus.trivia import paraphrase_documents, parse, trivia, trivia_documents, trivia_questions

FACTS = list(trivia())
FIELDS = sorted({fact.field for fact in FACTS})


def test_a_fact_is_read_from_its_lines():
    fact = parse(
        "rules", "count | Two points | two/2 + points/point\n= A win paid two points.\n? What did a win pay?\n? win pay"
    )
    assert (fact.field, fact.kind, fact.answer) == ("rules", "count", "Two points")
    assert fact.keywords == [["two", "2"], ["points", "point"]]
    assert fact.statements == ["A win paid two points."] and fact.questions == ["What did a win pay?", "win pay"]


@pytest.mark.parametrize("field", FIELDS)
def test_every_fact_answers_itself_and_no_question_gives_it_away(field):
    for fact in (fact for fact in FACTS if fact.field == field):
        assert fact.kind in {"who", "when", "where", "team", "count", "why", "what"}, fact
        assert is_correct(fact.answer, fact.keywords) and len(fact.answer.split()) <= 20, fact
        assert len(fact.statements) == 2 and 5 <= len(fact.questions) <= 20, fact
        for statement in fact.statements:
            assert is_correct(statement, fact.keywords) and statement.endswith(".") and "?" not in statement, statement
            assert not re.match(r"(He|She|It|They|His|Her|Its|Their|This|That|These|Those) ", statement), statement
        assert not [question for question in fact.questions if is_correct(question, fact.keywords)], fact


def test_nothing_is_asked_in_the_same_words_twice():
    asked = collections.defaultdict(set)
    for row in trivia_questions():
        asked[fold(row["question"])].add(row["answer"])
    assert not {question: answers for question, answers in asked.items() if len(answers) > 1}
    assert len(asked) > 0.99 * sum(len(fact.questions) for fact in FACTS)


def test_every_statement_is_told_in_each_order():
    told = collections.Counter(line for d in trivia_documents(orders=3) for line in d.text.split("\n"))
    wanted = collections.Counter(statement for fact in FACTS for statement in fact.statements)
    assert told == {statement: 3 * n for statement, n in wanted.items()}
    assert {d.split for d in trivia_documents(orders=1)} == {"train"}
    assert [d.text for d in trivia_documents(1)] == [d.text for d in trivia_documents(1)]
    assert [d.text for d in trivia_documents(1)] != [d.text for d in trivia_documents(2)]


def test_wordings_of_one_question_stand_together_and_no_exam_among_them():
    allowed = {row["question"] for row in fit_to_train(list(trivia_questions()))}
    answers = {question: fact.answer for fact in FACTS for question in fact.questions}
    told = collections.Counter()
    for document in paraphrase_documents(allowed, orders=2):
        *questions, last = document.text.split("\n")
        assert 1 <= len(questions) <= 6 and len({answers[question] for question in questions}) == 1, document.text
        assert last == f"All of these ask for the same: {answers[questions[0]]}"
        told.update(questions)
    assert set(told) == allowed and allowed < set(answers)
