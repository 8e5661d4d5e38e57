FROM python:3.13.14-slim AS build

ENV UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /app
# No groups: a production install needs neither the embedded servers nor the tools.
COPY pyproject.toml README.md LICENSE ./
RUN uv sync --no-default-groups --all-extras --no-install-project
COPY alembic alembic
COPY batching_demo batching_demo
RUN uv sync --no-default-groups --all-extras --no-editable

FROM python:3.13.14-slim

LABEL org.opencontainers.image.title="batching-demo" \
    org.opencontainers.image.description="Workers that write records in batches to Postgres" \
    org.opencontainers.image.version="0.2.0" \
    org.opencontainers.image.licenses="MIT"
# What runs here installs nothing.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3.13/ensurepip \
    /usr/local/lib/python3.13/site-packages/pip*
# glibc would keep what it allocates for large payloads; see docs/performance.md.
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 MALLOC_MMAP_THRESHOLD_=65536
# Workers write nothing there. For other commands a volume is to be mounted.
ENV XDG_STATE_HOME=/var/lib/state
# The scripts in it name this path.
COPY --from=build /app/.venv /app/.venv

# A number, so that a cluster can see that it is not root.
USER 65532:65532
ENTRYPOINT ["batching-demo"]
