"""How much of the principal that is still owed is in arrears, vintage by vintage, and how late is it?"""

from chart import draw
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from nequi_lake import Lake

BUCKETS = {
    "In Grace Period": "#fdd49e",
    "Late (16-30 days)": "#fc8d59",
    "Late (31-120 days)": "#d7301f",
    "Default": "#7f0000",
}
"""Status → colour, from the least late to the latest."""

QUERY = """
    SELECT issue_year AS vintage, loan_status, CAST(sum(outstanding_usd) AS DOUBLE) AS owed
    FROM credit_risk.portfolio_status
    GROUP BY ALL
    HAVING owed > 0
"""


def plot(lake: Lake, axes: Axes) -> None:
    """Stack the buckets of each vintage; what is not drawn is paid as agreed."""
    owed = lake.sql(QUERY).to_pandas().pivot(index="vintage", columns="loan_status", values="owed").fillna(0)
    shares = owed.div(owed.sum(axis=1), axis=0)
    below = 0 * shares.iloc[:, 0]
    for bucket, colour in BUCKETS.items():
        share = shares.get(bucket, 0 * below)
        axes.bar(shares.index.astype(str), share, bottom=below, color=colour, label=bucket)
        below += share
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set(xlabel="vintage", ylabel="share of the principal that is owed")
    axes.set_title("Principal in arrears, by how late it is", loc="left")
    axes.legend(frameon=False, reverse=True)


if __name__ == "__main__":
    draw("arrears", plot)
