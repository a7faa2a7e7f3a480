"""Makes the star schema of credit_risk from the published tables."""

from nequi_lake.lake.read.reader import Lake
from nequi_lake.pipeline.mart import publish_marts


def main() -> None:
    lake = Lake.from_env()
    dataset = lake.datasets["credit_risk"]
    (star,) = (group for group in dataset.mart_groups if group.name == "star")
    publish_marts(lake, dataset, star, "bench")


if __name__ == "__main__":
    main()
