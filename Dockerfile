# syntax=docker/dockerfile:1
# The image of journey-stream: workers, the live map, and every command of the command line.
#
#   docker build --tag journey-stream .
#   docker run --rm journey-stream --help
#
# It runs as a user without rights and writes to /data and /tmp alone, so it also runs with a read-only root.
# docs/deploying.md has more.

# Both stages are of one release of Python and of Debian: what the first one compiles runs in the second.
FROM python:3.11.14-bookworm AS build

WORKDIR /build
RUN python -m venv --without-pip /opt/journey-stream
COPY deploy/image/run.lock deploy/image/build.lock ./
# What runs goes into the environment that the second stage takes over, what builds beside it.
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/journey-stream/bin/python install --require-hashes -r run.lock \
    && pip install --target /tools --require-hashes -r build.lock

ENV PYTHONPATH=/tools
COPY pyproject.toml README.md LICENSE ./
COPY scripts/compile.py scripts/
COPY src src
# The sources stay beside what is compiled from them: tracebacks name their lines.
RUN pip --python /opt/journey-stream/bin/python install --no-deps --no-build-isolation --no-cache-dir . \
    && /opt/journey-stream/bin/python scripts/compile.py
WORKDIR /build/src
RUN find . -name '*.so' -exec cp --parents {} /opt/journey-stream/lib/python3.11/site-packages/ \;

FROM python:3.11.14-slim-bookworm

LABEL org.opencontainers.image.title="journey-stream" \
      org.opencontainers.image.description="Customer journey stages from touchpoint events on Kafka" \
      org.opencontainers.image.licenses="Apache-2.0"

# By number, so that Kubernetes can see that it is not root.
RUN install --directory --owner=10001 --group=10001 --mode=0750 /data
COPY --from=build /opt/journey-stream /opt/journey-stream
COPY --chmod=0555 deploy/image/healthcheck.py /usr/local/bin/journey-stream-health

ENV PATH=/opt/journey-stream/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

# What a broken image lacks would otherwise be found in production, or only in its speed.
RUN journey-stream --version \
    && python -c "import journey_stream.engine.partition as hot; assert hot.__file__.endswith('.so'), hot.__file__"

USER 10001:10001
# The settings (/data/journey.yaml, or what JOURNEY_CONFIG names), and the map's database.
WORKDIR /data
VOLUME ["/data"]
EXPOSE 9464 8600

HEALTHCHECK --interval=15s --timeout=8s --start-period=60s --retries=3 CMD ["journey-stream-health"]
ENTRYPOINT ["journey-stream"]
CMD ["worker"]
