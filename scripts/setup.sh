#!/bin/sh
# Makes a bare Debian or Ubuntu machine ready for `npm run demo` and `npm test`. A second run finds nothing to do.
# With --interop, also the other tools that test/e2e/interop.test.ts has read what Kiln writes.
set -eu
cd "$(dirname "$0")/.."

binfmt=/proc/sys/fs/binfmt_misc
missing=''
reasons=''

say() { printf 'setup: %s\n' "$*"; }
stop() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}
root() { [ "$(id -u)" -eq 0 ]; }

# need TEST PACKAGE WHY: notes a package unless TEST, a command's name or a path, is there.
need() {
  case $1 in
    /*) [ -e "$1" ] && return ;;
    *) command -v "$1" >/dev/null 2>&1 && return ;;
  esac
  missing="$missing $2"
  reasons="$reasons${reasons:+, }$2 ($3)"
}

# quietly LOG COMMAND...: shows what the command wrote only when it fails.
quietly() {
  log=$1
  shift
  "$@" >"$log" 2>&1 && return
  grep -m 8 -iE '^(npm )?(err|e:|w:)' "$log" >&2 || tail -n 8 "$log" >&2
  return 1
}

check_node() {
  command -v npm >/dev/null 2>&1 || stop 'Node.js and npm are missing: install Node.js 20.19 or newer (https://nodejs.org).'
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    stop "Node.js $(node --version) is too old: install 20.19 or newer."
}

find_packages() {
  command -v crun >/dev/null 2>&1 || need runc crun 'runs the steps'
  case $(uname -m) in
    aarch64) need /usr/bin/qemu-x86_64-static qemu-user-static 'emulates other processors' ;;
    *) need /usr/bin/qemu-aarch64-static qemu-user-static 'emulates other processors' ;;
  esac
  need docker-registry docker-registry 'the registry of the demo and the tests'
  need /bin/busybox busybox-static 'root file system of the tests'
  need newuidmap uidmap 'users without privilege: many ids'
  need fuse-overlayfs fuse-overlayfs 'users without privilege: overlays where the kernel has none for them'
  need slirp4netns slirp4netns 'users without privilege: networks of steps'
  need pasta passt 'users without privilege: networks of steps, by the other program'
  need ip iproute2 'users without privilege: networks of steps'
  need proot proot 'users without privilege: steps where there are no namespaces'
  need unshare util-linux 'ends the steps with the command'
  need dpkg-deb dpkg 'unpacks the base images of the demo'
  need runc runc 'the other runtime that steps are tested with'
  need ssh-keygen openssh-client 'keys for the tests of SSH mounts'
  need gpg gnupg 'signed commits for the tests of git sources'
  need /usr/sbin/sshd openssh-server 'the server of the tests of git over SSH'
  need xz xz-utils 'archives for ADD'
  need bzip2 bzip2 'archives for ADD'
  need zstd zstd 'archives for ADD'
  [ "${1:-}" = --interop ] || return 0
  need skopeo skopeo 'reads what Kiln writes'
  need umoci umoci 'reads what Kiln writes'
  need buildah buildah 'reads what Kiln writes'
  need podman podman 'reads and runs what Kiln writes'
}

install_packages() {
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null 2>&1 || stop "these are missing, and there is no apt to install them with: $reasons"
  root || stop "these are missing: $reasons. Run as root: apt-get install -y$missing"
  say "installing through apt: $reasons"
  # Nothing that a package brings is to be started on this machine (docker-registry would listen on port 5000).
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  else
    policy=''
  fi
  log=$(mktemp)
  for wait in 0 2 5 15 30; do
    [ "$wait" -eq 0 ] || say "the package mirror is not ready; trying again in $wait s"
    sleep "$wait"
    # A mirror in the middle of a synchronisation fails for one list; the others may have all that is needed.
    quietly "$log" apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update || say 'not every package list could be read; going on with those there are'
    # shellcheck disable=SC2086 # a list of words
    if DEBIAN_FRONTEND=noninteractive quietly "$log" apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \
      install -y --no-install-recommends $missing; then
      missing=''
      break
    fi
  done
  rm -f "$log"
  if [ -n "$policy" ]; then
    rm -f "$policy"
    trap - EXIT INT TERM
  fi
  [ -z "$missing" ] || stop "apt could not install:$missing"
}

# Where systemd or binfmt-support run they register the emulators; in containers and small machines nobody does.
register_emulators() {
  for conf in /usr/lib/binfmt.d/qemu-*.conf; do
    [ -e "$conf" ] || break
    name=${conf##*/}
    [ -e "$binfmt/${name%.conf}" ] || unregistered="${unregistered:-} $conf"
  done
  [ -n "${unregistered:-}" ] || return 0
  if ! root; then
    say "emulators are not registered with the kernel. Run as root: sh scripts/setup.sh" >&2
    return 0
  fi
  if [ ! -e $binfmt/register ] && ! mount -t binfmt_misc binfmt_misc $binfmt 2>/dev/null; then
    say "binfmt_misc cannot be mounted here, so emulators cannot be registered; on the host, as root: apt-get install qemu-user-static" >&2
    return 0
  fi
  count=0
  for conf in $unregistered; do
    name=${conf##*/}
    [ -e "$binfmt/${name%.conf}" ] && continue
    # The kernel takes an entry in one write. The file's flags are OPF: F keeps the emulator usable in containers.
    if cat "$conf" >$binfmt/register 2>/dev/null; then count=$((count + 1)); fi
  done
  if [ "$count" -gt 0 ]; then say "registered $count emulators with the kernel ($binfmt)"; fi
}

install_modules() {
  lock=node_modules/.package-lock.json
  if [ -e $lock ] && [ -z "$(find package-lock.json -newer $lock)" ]; then return 0; fi
  say 'installing the Node.js packages of package-lock.json'
  log=$(mktemp)
  for wait in 0 5 20; do
    sleep "$wait"
    # A mirror without the optional packages of other systems can leave a lock file that only `install` accepts.
    if quietly "$log" npm ci --no-audit --no-fund || quietly "$log" npm install --no-save --no-audit --no-fund; then
      # npm leaves the file untouched when it changes nothing.
      touch $lock
      rm -f "$log"
      return 0
    fi
  done
  stop "npm ci failed; see $log"
}

build_bundle() {
  mark=node_modules/.kiln-built
  if [ -e $mark ] && [ -d dist ] && [ -z "$(find src scripts/bundle.ts scripts/bundling.ts scripts/split-program.ts scripts/start-up.ts scripts/lean-lmdb.ts package.json package-lock.json -newer $mark -print | head -n 1)" ]; then return 0; fi
  say 'building the command'
  touch $mark.new
  npm run --silent build >&2
  mv $mark.new $mark
}

main() {
  check_node
  find_packages "$@"
  install_packages
  register_emulators
  install_modules
  build_bundle
}

# Two at once (the demo beside the tests) take turns.
if [ "${KILN_SETUP_LOCKED:-}" != 1 ] && command -v flock >/dev/null 2>&1; then
  KILN_SETUP_LOCKED=1 exec flock "$0" sh "$0" "$@"
fi
main "$@"
