# Kiln as a builder of a benchmark that compares builders from outside, one process a build and no daemon.
# KILN names the command (default: kiln); $PERF_WORK is where its store lies; $REGISTRY is a registry without TLS.
: "${PERF_WORK:?}" "${REGISTRY:?}"
KILN_DIR=$PERF_WORK/kiln
export KILN_ROOT=$KILN_DIR/root KILN_CONFIG=$KILN_DIR/kiln.toml DOCKER_CONFIG=$KILN_DIR/docker
_kiln(){ "${KILN:-kiln}" "$@"; }
pids(){ :; }
start(){
  mkdir -p "$KILN_DIR/docker"
  printf '[registry."%s"]\nhttp = true\n\n[registry."docker.io"]\nmirrors = ["%s"]\n' "$REGISTRY" "$REGISTRY" > "$KILN_CONFIG"
}
stop(){ :; }
# Everything goes, base images and what the file index remembers of contexts too.
prune(){ _kiln prune --all --force >/dev/null; }
build(){
  local output="type=image,name=$2,push=$([ "$4" = 1 ] && echo true || echo false)" flags=()
  [ -n "$COMPRESSION" ] && [ "$COMPRESSION" != gzip ] && output="$output,compression=$COMPRESSION,oci-mediatypes=true"
  [ -n "$3" ] && flags+=(--platform "$3")
  [ "$5" = 1 ] && flags+=(--no-cache)
  [ -n "$TARGET" ] && flags+=(--target "$TARGET")
  _kiln build --progress plain "${flags[@]}" --output "$output" "$1"
}
push(){ build "$1" "$2" "$3" 1 0; }
bake(){ cd "$1" && TAGP=$3 _kiln bake --progress plain --set '*.output=type=image,push=false' -f docker-bake.hcl; }
version(){ _kiln version; }
