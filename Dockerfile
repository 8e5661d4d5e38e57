FROM python:3.13.14-slim

RUN pip install --no-cache-dir uv==0.13.9 && useradd --create-home batching
WORKDIR /app
# glibc would keep what it allocates for large payloads; see docs/performance.md.
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 MALLOC_MMAP_THRESHOLD_=65536

# No groups: a production install needs neither the embedded servers nor the tools.
COPY pyproject.toml README.md LICENSE ./
RUN uv sync --no-default-groups --no-install-project --no-cache
COPY alembic alembic
COPY batching_demo batching_demo
RUN uv sync --no-default-groups --no-cache

USER batching
ENTRYPOINT ["batching-demo"]
