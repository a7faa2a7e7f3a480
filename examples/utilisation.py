"""Do borrowers who use more of their credit lines default more often?"""

from chart import draw
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from nequi_lake import Lake

QUERY = """
    SELECT
        position,
        utilisation_band AS band,
        sum(loans)::INT AS loans,
        sum(defaulted_loans) / sum(loans) AS rate
    FROM credit_risk.utilisation
    WHERE utilisation_band <> 'unknown'
    GROUP BY ALL
    HAVING sum(loans) >= 30
    ORDER BY position
"""


def plot(lake: Lake, axes: Axes) -> None:
    """Draw the rate of each band with the interval that so few loans leave it: 95 %, by the normal approximation."""
    bands = lake.sql(QUERY).to_pandas()
    margin = 1.96 * (bands.rate * (1 - bands.rate) / bands.loans) ** 0.5
    axes.errorbar(bands.band, bands.rate, yerr=margin, fmt="o", color="#0b57b8", ecolor="#9dbfe8", elinewidth=3)
    for place, (rate, loans) in enumerate(zip(bands.rate + margin, bands.loans, strict=True)):
        axes.annotate(f"{loans:,}", (place, rate), (0, 4), textcoords="offset points", ha="center", color="grey")
    axes.set_ylim(0, 1.1 * (bands.rate + margin).max())
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set(
        xlabel="part of the revolving credit lines in use at the application, %", ylabel="share of loans in default"
    )
    axes.set_title("Default by utilisation; above each band its loans, if 30 or more", loc="left")


if __name__ == "__main__":
    draw("utilisation", plot)
