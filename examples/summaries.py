"""Write a training set for summarisation, one Parquet file a split, and draw how long its texts are.

A paper is cited in several sentences. One that is in the validation or test split is left out of the training split, so
that a model is not judged by abstracts that it has learned. The licence, CC BY-NC, allows no commercial use.
"""

from chart import draw, folder
from matplotlib.axes import Axes

from nequi_lake import Lake
from nequi_lake.lake.exports import write

PAIRS = """
    SELECT split, src AS text, tgt AS summary
    FROM cite_sum.citations
    JOIN cite_sum.papers USING (paper_id)
    WHERE split <> 'train'
        OR paper_id NOT IN (SELECT paper_id FROM cite_sum.citations WHERE split <> 'train')
"""
LENGTHS = f"""
    SELECT len(string_split(text, ' ')) AS text_words, len(string_split(summary, ' ')) AS summary_words
    FROM ({PAIRS})
"""


def plot(lake: Lake, axes: Axes) -> None:
    """Write the splits a batch at a time, and draw where most pairs are."""
    for split in ("train", "validation", "test"):
        with lake.batches(f"SELECT text, summary FROM ({PAIRS}) WHERE split = '{split}'") as pairs:
            write(pairs, folder("summaries") / f"{split}.parquet")
    words = lake.sql(LENGTHS).to_pandas()
    axes.hexbin(words.text_words, words.summary_words, gridsize=40, mincnt=1, cmap="Blues", linewidths=0.2)
    axes.set(xlabel="words of the abstract", ylabel="words of its summary", xlim=(0, None), ylim=(0, None))
    ratio = words.text_words.median() / words.summary_words.median()
    axes.set_title(
        f"{len(words):,} pairs; an abstract is {ratio:.0f} times as long as its summary (medians)", loc="left"
    )


if __name__ == "__main__":
    draw("summaries", plot)
