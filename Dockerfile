FROM python:3.11-slim-bookworm

# The libraries, in the versions of constraints.txt: this layer is made anew only when one of the two files changes.
WORKDIR /opt/nequi_lake
COPY pyproject.toml constraints.txt ./
RUN pip install --no-cache-dir --constraint constraints.txt uv \
    && uv pip install --system --no-cache --constraint constraints.txt --requirement pyproject.toml \
        --extra ui --extra aws --extra kaggle --extra service

COPY setup.py README.md LICENSE ./
COPY infra infra
COPY nequi_lake nequi_lake
RUN pip install --no-cache-dir --no-deps .

# Dagster's configuration of a service; only its task definitions set DAGSTER_HOME to it, as it needs their database.
COPY infra/dagster.yaml infra/workspace.yaml /opt/dagster/
RUN useradd --create-home --uid 1000 lake && chown lake /opt/dagster
USER 1000
WORKDIR /home/lake

CMD ["nequi-lake", "run"]
