# checkov:skip=CKV_DOCKER_2: A run ends by itself, and ECS looks only at the health checks of infra/service.yaml.
FROM python:3.11-slim-bookworm

# The libraries, in versions and with hashes: this layer is made anew only when one of them changes.
WORKDIR /opt/nequi_lake
COPY requirements requirements
RUN pip install --no-cache-dir --require-hashes --requirement requirements/uv.txt \
    && uv pip install --system --no-cache --require-hashes --requirement requirements/image.txt

COPY pyproject.toml setup.py README.md LICENSE ./
COPY infra infra
COPY nequi_lake nequi_lake
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

# Dagster's configuration of a service; only its task definitions set DAGSTER_HOME to it, as it needs their database.
COPY infra/dagster.yaml infra/workspace.yaml /opt/dagster/
RUN useradd --create-home --uid 1000 lake && chown lake /opt/dagster
USER 1000
WORKDIR /home/lake

CMD ["nequi-lake", "run"]
