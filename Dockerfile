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

# glibc would keep what it allocates for large payloads; see docs/performance.md.
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 MALLOC_MMAP_THRESHOLD_=65536
# The scripts in it name this path.
COPY --from=build /app/.venv /app/.venv

# A number, so that a cluster can see that it is not root.
USER 65532:65532
ENTRYPOINT ["batching-demo"]
