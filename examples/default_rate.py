"""Which share of the loans of each grade and vintage defaulted?

Young vintages have had less time to default, so compare down a column rather than along a row.
"""

from chart import draw
from matplotlib.axes import Axes

from nequi_lake import Lake

FEWEST = 20
"""Loans below which a rate would say little, and is left out."""

QUERY = f"""
    SELECT grade, issue_year AS vintage, sum(defaulted_loans) / sum(loans) AS default_rate
    FROM credit_risk.default_rate
    GROUP BY ALL
    HAVING sum(loans) >= {FEWEST}
"""


def plot(lake: Lake, axes: Axes) -> None:
    """Draw a grid of rates, the darker the higher."""
    rates = lake.sql(QUERY).to_pandas().pivot(index="grade", columns="vintage", values="default_rate")
    axes.imshow(rates, cmap="OrRd", aspect="auto", vmin=0)
    axes.set_xticks(range(rates.shape[1]), labels=rates.columns)
    axes.set_yticks(range(rates.shape[0]), labels=rates.index)
    axes.set(xlabel="vintage", ylabel="grade")
    axes.set_title(f"Share of loans that defaulted so far (blank: fewer than {FEWEST} loans)", loc="left")
    highest = rates.max().max()
    for y, row in enumerate(rates.to_numpy()):
        for x, rate in enumerate(row):
            if rate == rate:
                ink = "white" if rate > 0.6 * highest else "black"
                axes.text(x, y, f"{rate:.0%}", ha="center", va="center", color=ink)


if __name__ == "__main__":
    draw("default_rate", plot)
