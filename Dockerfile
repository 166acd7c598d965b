# One image for the API, the worker and every other command; what runs is the argument:
#
#   docker build --build-arg BUILD=$(git rev-parse --short HEAD) -t loyalty .
#   docker run --read-only --tmpfs /tmp -p 8080:8080 -e DATABASE_URL -e REDIS_URL loyalty serve --processes 2
#   docker run --read-only --no-healthcheck -e DATABASE_URL -e REDIS_URL -e LOYALTY_WORKER_PORT=8081 loyalty worker
#   docker run --read-only --no-healthcheck -e DATABASE_OWNER_URL loyalty migrate

FROM python:3.13.7-slim-trixie AS build
WORKDIR /opt/loyalty
COPY requirements/service.txt requirements/
# An environment without an installer, filled from outside; no package is built here, so no compiler is needed.
RUN python -m venv --without-pip env \
    && python -m pip --python env/bin/python install --no-cache-dir --no-compile --only-binary :all: \
        --require-hashes -r requirements/service.txt
COPY service app/service
COPY migrations app/migrations
COPY openapi app/openapi
# Compiled here, once: the running image may not write. Unchecked, since nothing changes the sources behind it.
RUN printf '#!/bin/sh\nexec /opt/loyalty/env/bin/python -m service "$@"\n' > env/bin/loyalty \
    && chmod 755 env/bin/loyalty \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash env/lib app

FROM python:3.13.7-slim-trixie
ARG BUILD=unknown
# Nothing is installed in a running container: the base's installer goes.
RUN python -m pip uninstall --yes --no-cache-dir pip \
    && rm -rf /usr/local/lib/python3.13/ensurepip
COPY --from=build /opt/loyalty/env /opt/loyalty/env
COPY --from=build /opt/loyalty/app /opt/loyalty/app
ENV PATH=/opt/loyalty/env/bin:$PATH \
    PYTHONPATH=/opt/loyalty/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LOYALTY_HOST=0.0.0.0 \
    LOYALTY_PORT=8080 \
    LOYALTY_BUILD=$BUILD
WORKDIR /opt/loyalty/app
# A number, so that a cluster can see that it isn't root. Everything belongs to root and is only read.
USER 10001:10001
EXPOSE 8080
# Of the API. A process that lives is left alone while its database is away; /readyz is for who sends it calls.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['LOYALTY_PORT'] + '/livez', timeout=2)"]
# Calls in flight are answered, and jobs come to a safe point, for up to 20 s: give it 30 (docker stop -t 30, terminationGracePeriodSeconds).
STOPSIGNAL SIGTERM
ENTRYPOINT ["loyalty"]
CMD ["serve"]
