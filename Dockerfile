FROM python:3.11-slim-bookworm

# Versions are those of constraints.txt; the layer is made anew only when they change.
WORKDIR /opt/nequi_lake
COPY pyproject.toml setup.py README.md LICENSE constraints.txt ./
COPY nequi_lake nequi_lake
RUN pip install --no-cache-dir --constraint constraints.txt ".[ui,aws,kaggle,service]"

ENV DAGSTER_HOME=/opt/dagster
COPY infra/dagster.yaml infra/workspace.yaml /opt/dagster/
RUN useradd --create-home --uid 1000 lake && chown lake /opt/dagster
USER 1000
WORKDIR /home/lake

CMD ["nequi-lake", "run"]
