"""What a notebook needs to ask the lake: answers as tables, errors as two lines, plots in one style.

Stored outputs are made anew, from the repository, against a workshop that is freshly up:

    .venv/bin/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False \
        notebooks/01_ask_the_lake.ipynb
"""

import os
from typing import Any

import pandas as pd

from workshop import ask, screen
from workshop.errors import WorkshopError
from workshop.local_aws.isolation import isolated
from workshop.target import Target, aws_in_plain_words, find_target

# Athena's types as PyAthena names them, and what pandas subtracts, sums and plots. Only its own integers and booleans
# can be missing; a decimal gives up its exactness; what is not listed stays the object PyAthena made of it.
_DTYPES = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), "Int64"),
    **dict.fromkeys(("real", "float", "double", "decimal"), "float64"),
    **dict.fromkeys(("date", "timestamp"), "datetime64[us]"),
    **dict.fromkeys(("char", "varchar"), "str"),
    "timestamp with time zone": "datetime64[us, UTC]",
    "boolean": "boolean",
}

STYLE: dict[str, Any] = {
    # Okabe and Ito, "Color Universal Design": blue, vermilion, green and orange that every kind of eye tells apart.
    "axes.prop_cycle": "cycler('color', ['0072B2', 'D55E00', '009E73', 'E69F00'])",
    "axes.edgecolor": "0.6",
    "axes.labelcolor": "0.25",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": "large",
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.dpi": 110,
    "legend.frameon": False,
    "xtick.color": "0.25",
    "ytick.color": "0.25",
}
"""How the notebooks' plots look, for `plt.style.use`."""


class Lake:
    """The lake as a notebook sees it. It remembers what the last answer took."""

    def __init__(self, *, aws: bool) -> None:
        self._aws = aws
        self.last: ask.Answer | None = None

    def __repr__(self) -> str:
        return f"The lake {'in your AWS account' if self._aws else 'on this machine'}"

    @property
    def cost(self) -> str:
        """Rows, time, bytes scanned and price of the last answer, as a line to print under it."""
        return screen.cost_line(self.last) if self.last else "Nothing has been asked yet."

    def ask(self, name_or_sql: str) -> pd.DataFrame:
        """Return the answer to a named query of `glue/queries`, or to a statement.

        A column's dtype follows from its Athena type alone: times are datetimes and numbers are numbers, also in an
        answer without rows.

        Raises:
            WorkshopError: nothing runs, no query has that name, or Athena refused the statement.
        """
        with aws_in_plain_words():
            # A name is one word, and no statement is.
            statement = ask.statement_of(name_or_sql) if name_or_sql.isidentifier() else name_or_sql
            # Found anew for each question: the workshop may have moved or gone since the last one.
            target = _find(aws=self._aws)
            self.last = ask.ask(target, target.resources(), statement)
        return _table(self.last)


def open_lake(*, aws: bool = False) -> Lake:
    """Return the lake of the embedded AWS, or of the AWS account that the environment's credentials open.

    The first local lake cuts this process off from every AWS account, so an account can be asked only in a fresh one.

    Raises:
        WorkshopError: nothing runs, nothing is deployed, or the account cannot be reached.
    """
    with aws_in_plain_words():
        _find(aws=aws).resources()
    return Lake(aws=aws)


def _find(*, aws: bool) -> Target:
    # In an environment that is isolated already, the default client of "AWS" would be the embedded one.
    if aws and dict(os.environ) == isolated(os.environ, os.environ.get("AWS_ENDPOINT_URL")):
        raise WorkshopError(
            "This notebook has opened the lake on this machine, which cut it off from AWS.",
            "Restart the kernel, then run it from the top with AWS = True.",
        )
    return find_target(aws=aws)


def _table(answer: ask.Answer) -> pd.DataFrame:
    columns = {
        place: pd.Series([row[place] for row in answer.rows], dtype=_DTYPES.get(athena_type, "object"))
        for place, athena_type in enumerate(answer.types)
    }
    # Named last, by place: a statement may give two columns one name.
    return pd.DataFrame(columns).set_axis(answer.columns, axis="columns")
