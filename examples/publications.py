"""In which fields are the papers, and how often is a paper of each field cited?"""

from chart import draw
from matplotlib.axes import Axes

from nequi_lake import Lake

QUERY = """
    SELECT
        mag_field_of_study AS field,
        sum(papers)::INT AS papers,
        sum(citations) / sum(papers) AS citations_per_paper
    FROM cite_sum.publications_by_field
    GROUP BY ALL
    ORDER BY papers, field
"""


def plot(lake: Lake, axes: Axes) -> None:
    """Draw a bar for the papers of each field, and write beside it how often one of them is cited."""
    fields = lake.sql(QUERY).to_pandas()
    bars = axes.barh(fields.field, fields.papers, color="#0b57b8")
    labels = [
        f"{papers:,}, cited {each:.1f}×" for papers, each in zip(fields.papers, fields.citations_per_paper, strict=True)
    ]
    axes.bar_label(bars, labels, padding=4, color="grey")
    axes.set_xlim(right=1.18 * fields.papers.max())
    axes.set(xlabel="papers; one of several fields counts in each")
    axes.set_title("Papers by field of study, and how often each is cited", loc="left")


if __name__ == "__main__":
    draw("publications", plot)
