#!/bin/sh
# Builds the image of this checkout, and pushes it if TO is set. `make image` calls it.
#
#   TO=REGION-docker.pkg.dev/PROJECT/REPOSITORY/clipsearch   where to push it
#   BASE=python:3.13-slim                                    another base
#   ENGINE=lance                                             with the packages of the mirror
#   TAG=…                                                    default: version and commit
#   TOOL=docker, podman, buildah or gcloud (Cloud Build)     default: the first that is installed
set -eu
cd "$(dirname "$0")/../.."

fail() {
  echo "clipsearch: $1" >&2
  exit 1
}

TO=${TO:-}
BASE=${BASE:-}
VERSION=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' functions/clipsearch/version.py)
COMMIT=$(git describe --always --dirty --exclude '*' 2>/dev/null || true)
ENGINE=${ENGINE:-}
TAG=${TAG:-$VERSION${COMMIT:+-$COMMIT}}${ENGINE:+-$ENGINE}
IMAGE=${TO:-clipsearch}:$TAG

case ${TO##*/} in
  *[:@]*) fail "TO is '$TO'; it must have no tag: TAG=${TO##*:} sets one" ;;
esac

case $ENGINE in
  "" | lance) ;;
  *) fail "ENGINE is '$ENGINE'; it must be lance or empty" ;;
esac

if [ -z "${TOOL:-}" ]; then
  for candidate in docker podman buildah ${TO:+gcloud}; do
    if command -v "$candidate" >/dev/null; then
      TOOL=$candidate
      break
    fi
  done
fi
case ${TOOL:-} in
  docker) builds="docker build" ;;
  podman) builds="podman build --format docker" ;; # OCI has no HEALTHCHECK
  buildah) builds="buildah build --format docker" ;;
  gcloud)
    [ -n "$TO" ] || fail "Cloud Build pushes what it builds; set TO=REGION-docker.pkg.dev/…"
    [ -z "$BASE" ] || fail "Cloud Build takes no BASE here; install docker, podman or buildah"
    [ -z "$ENGINE" ] || fail "Cloud Build takes no ENGINE here; install docker, podman or buildah"
    ;;
  "")
    fail "nothing here builds an image; install docker, podman or buildah${TO:+, or gcloud for Cloud Build}"
    ;;
  *) fail "TOOL is '$TOOL'; it must be docker, podman, buildah or gcloud" ;;
esac
command -v "$TOOL" >/dev/null || fail "$TOOL is not installed"

if [ "$TOOL" = gcloud ]; then
  gcloud builds submit --quiet --tag "$IMAGE" .
  digest=$(gcloud artifacts docker images describe "$IMAGE" \
    --format 'value(image_summary.digest)')
else
  $builds ${BASE:+--build-arg "BASE=$BASE"} ${ENGINE:+--build-arg "ENGINE=$ENGINE"} \
    --build-arg "VERSION=$TAG" --tag "$IMAGE" .
  if [ -z "$TO" ]; then
    "$TOOL" tag "$IMAGE" "clipsearch:${ENGINE:-latest}"
    echo "built: $IMAGE, also as clipsearch${ENGINE:+:$ENGINE}"
    exit 0
  fi
  if [ "$TOOL" = docker ]; then
    docker push "$IMAGE"
    digest=$(docker inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$IMAGE" |
      sed -n "s|^$TO@||p" | head -n 1)
  else
    file=$(mktemp)
    "$TOOL" push --digestfile "$file" "$IMAGE"
    digest=$(cat "$file")
    rm -f "$file"
  fi
fi
[ -n "$digest" ] || fail "$IMAGE is pushed, but its digest is unknown; look it up in the registry"
echo "pushed: $IMAGE"
echo "digest: $TO@$digest"
