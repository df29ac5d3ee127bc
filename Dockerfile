# One image for three uses: the functions search and ingest (FUNCTION_TARGET), and `clipsearch run`
# over mounted folders. docs/container.md explains it. BASE needs Python 3.11 or newer with venv.
# ENGINE=lance adds the packages of the mirror (docs/engine.md).
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
# pip's own variables: an index of your own, or a folder of wheels.
ARG PIP_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_NO_INDEX
ARG ENGINE
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_REQUIRE_HASHES=1 \
    PIP_ONLY_BINARY=:all: PIP_ROOT_USER_ACTION=ignore PIP_QUIET=1

COPY functions/requirements.txt /locks/functions.txt
COPY cli/requirements.txt /locks/cli.txt
COPY functions/clipsearch/engine/requirements.txt /locks/lance.txt
COPY packaging/image/requirements.txt /locks/sbom.txt
RUN case "$ENGINE" in ""|lance) ;; *) echo "ENGINE is '$ENGINE'; it must be lance or empty" >&2; exit 1 ;; esac \
 && python3 -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-compile -r /locks/functions.txt -r /locks/cli.txt \
      ${ENGINE:+-r /locks/$ENGINE.txt} \
 && /opt/venv/bin/pip uninstall --yes pip
# The list of packages: CycloneDX, made by a tool that stays in this stage.
RUN python3 -m venv /opt/sbom \
 && /opt/sbom/bin/pip install -r /locks/sbom.txt \
 && /opt/sbom/bin/cyclonedx-py environment --output-reproducible --of JSON \
      --output-file /opt/venv/sbom.cdx.json /opt/venv

COPY LICENSE /app/
COPY packaging/image /app/image
COPY cli /app/cli
COPY functions /app/functions
COPY model_export /app/model_export
COPY site /app/site
# What no process reads, then bytecode: nothing can write it later, and its sources never change.
RUN cd /opt/venv/lib/python3*/site-packages \
 && rm -rf bin numpy/*/tests numpy/tests onnx/backend/test onnx/test onnxruntime/tools \
      onnxruntime/transformers onnxruntime/quantization faiss/contrib \
      pyarrow/include pyarrow/src pyarrow/tests \
 && find . -name '*.pyi' -o -name '*.h' -o -name '*.hpp' -o -name '*.a' | xargs rm -f \
 && /opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash . /app

FROM ${BASE}
ARG VERSION=unknown
LABEL org.opencontainers.image.title="clipsearch" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
# The base's pip, programs that run as root, and a home for any user: --user may name another.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/ensurepip \
      /usr/local/lib/python3*/site-packages/pip* /usr/lib/python3*/ensurepip \
      /usr/share/python-wheels \
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
 && echo 'clipsearch:x:65532:65532::/data:/usr/sbin/nologin' >> /etc/passwd \
 && echo 'clipsearch:x:65532:' >> /etc/group \
 && mkdir -m 1777 /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app

ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/data XDG_DATA_HOME=/data PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PORT=8080
WORKDIR /app
USER 65532:65532
EXPOSE 8080
# The first start of `run` downloads and exports a model before it serves anything.
HEALTHCHECK --interval=30s --timeout=10s --start-period=20m \
  CMD ["/opt/venv/bin/python", "/app/image/health.py"]
ENTRYPOINT ["/opt/venv/bin/python", "/app/image/start.py"]
