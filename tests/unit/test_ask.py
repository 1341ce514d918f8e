"""What is bound to a `?` stays a text, whatever is in it."""

from hypothesis import example, given
from hypothesis import strategies as st
from sqlglot import exp

from workshop import ask
from workshop.local_aws.athena.grammar import read
from workshop.local_aws.athena.statements import Select


@example("' OR '1' = '1")
@given(st.text() | st.text("'\\\"-;? 1"))
def test_no_text_becomes_sql(text: str) -> None:
    statement = read("SELECT ?", [ask._literal(text)])
    assert isinstance(statement, Select)
    [literal] = statement.query.expressions
    assert isinstance(literal, exp.Literal)
    assert literal.is_string
    assert literal.this == text
