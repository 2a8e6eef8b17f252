# LocalZure in a container, in the place of Azurite and of the Service Bus emulator.
#
#   docker build -t localzure .
#   docker run --rm -p 10000-10002:10000-10002 -p 5672:5672 -p 5300:5300 -v localzure:/data localzure
#
# The base is an argument, so that any image with Python 3.11 or newer will do.
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
RUN command -v cc >/dev/null || { apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev; }
WORKDIR /source
COPY . .
RUN python3 -m venv /opt/localzure \
    && /opt/localzure/bin/pip install --no-cache-dir --disable-pip-version-check . \
    && /opt/localzure/bin/pip uninstall --yes pip setuptools

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/localzure /opt/localzure
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data localzure \
    && mkdir /data \
    && chown localzure:localzure /data
ENV PATH=/opt/localzure/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LOCALZURE_HOST=0.0.0.0 \
    LOCALZURE_DROP_IN=true
WORKDIR /data
VOLUME /data
USER localzure
EXPOSE 10000 10001 10002 5672 5671 5300 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD localzure health || exit 1
CMD ["localzure", "start"]
