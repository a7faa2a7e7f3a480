"""Write a training set for summarisation, one Parquet file a split, and draw how long its texts are.

A paper is cited in several sentences. One that stands in several splits is left out of validation and test, so that a
model is not judged by abstracts that it has learned. The licence, CC BY-NC, allows no commercial use.
"""

from chart import draw, folder
from matplotlib.axes import Axes

from nequi_lake import Lake
from nequi_lake.lake.export.write import write

PAIRS = "FROM cite_sum.summarisation_training WHERE (split = 'train' OR NOT in_other_split)"


def plot(lake: Lake, axes: Axes) -> None:
    """Write the splits a batch at a time, and draw where most pairs are."""
    for split in ("train", "validation", "test"):
        with lake.batches(f"SELECT abstract, summary {PAIRS} AND split = '{split}'") as pairs:
            write(pairs, folder("summaries") / f"{split}.parquet")
    words = lake.sql(f"SELECT abstract_words, summary_words {PAIRS}").to_pandas()
    axes.hexbin(words.abstract_words, words.summary_words, gridsize=40, mincnt=1, cmap="viridis_r", linewidths=0.2)
    axes.set(xlabel="words of the abstract", ylabel="words of its summary", xlim=(0, None), ylim=(0, None))
    ratio = words.abstract_words.median() / words.summary_words.median()
    axes.set_title(
        f"{len(words):,} pairs; an abstract is {ratio:.0f} times as long as its summary (medians)", loc="left"
    )


if __name__ == "__main__":
    draw("summaries", plot)
