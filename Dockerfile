# All processes of hitl-events in one image: hitl, hitl-engine, hitl-projector.
# Which one runs is the command; what it runs with is the environment (docs/operations.md).

FROM python:3.13-slim AS build
RUN python -m venv /opt/hitl
WORKDIR /source
COPY requirements/kafka.lock requirements/kafka.lock
RUN /opt/hitl/bin/python -m pip install --no-cache-dir --no-deps --require-hashes -r requirements/kafka.lock
COPY pyproject.toml README.md CHANGELOG.md ./
COPY hitl_events hitl_events
COPY services services
COPY schemas schemas
RUN /opt/hitl/bin/python -m pip install --no-cache-dir --no-deps --no-index --no-build-isolation .

FROM python:3.13-slim
COPY --from=build /opt/hitl /opt/hitl
ENV PATH=/opt/hitl/bin:$PATH PYTHONUNBUFFERED=1 HITL_DATA=/var/lib/hitl
RUN useradd --system --uid 10001 hitl && install -d -o hitl -g hitl /var/lib/hitl /read-model
USER hitl
WORKDIR /var/lib/hitl
# Nothing that cannot be made again, but a file of state here makes a restart quicker.
VOLUME /var/lib/hitl
CMD ["hitl-engine"]
